package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// figures are what one measurement has found.
type figures struct {
	perSecond float64 // requests
	cpu       float64 // µs of the server for a request
	redisCPU  float64 // µs of Redis for a request
	reads     float64 // of Redis from its connections, for a request
	writes    float64 // of Redis to its connections, for a request
}

// measure makes requests for a while, as many at a time as there are clients.
func (s *server) measure(redis, path string, clients int, each time.Duration) (figures, error) {
	before, err := redisInfo(redis)
	if err != nil {
		return figures{}, err
	}
	cpu, err := s.cpu()
	if err != nil {
		return figures{}, err
	}
	began := time.Now()
	requests, err := s.load(path, clients, began.Add(each))
	if err != nil {
		return figures{}, err
	}
	took := time.Since(began)
	cpuAfter, err := s.cpu()
	if err != nil {
		return figures{}, err
	}
	after, err := redisInfo(redis)
	if err != nil {
		return figures{}, err
	}
	grown := func(name string) float64 { return after[name] - before[name] }
	n := float64(requests)
	return figures{
		perSecond: n / took.Seconds(),
		cpu:       float64((cpuAfter - cpu).Microseconds()) / n,
		redisCPU:  1e6 * (grown("used_cpu_user") + grown("used_cpu_sys")) / n,
		reads:     grown("total_reads_processed") / n,
		writes:    grown("total_writes_processed") / n,
	}, nil
}

// load returns how many requests were answered until then.
func (s *server) load(path string, clients int, until time.Time) (int, error) {
	var wg sync.WaitGroup
	answered, errs := make([]int, clients), make([]error, clients)
	for i := range clients {
		wg.Go(func() { answered[i], errs[i] = s.client(path, i, clients, until) })
	}
	wg.Wait()
	total := 0
	for i, n := range answered {
		if errs[i] != nil {
			return 0, errs[i]
		}
		total += n
	}
	return total, nil
}

// client makes one request after another, as cheaply as it can: on one connection, with
// every so many-th of the cookies.
func (s *server) client(path string, first, step int, until time.Time) (answered int, err error) {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for i := first; time.Now().Before(until); i += step {
		request := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nCookie: " + s.cookies[i%len(s.cookies)] + "\r\n\r\n"
		if _, err := io.WriteString(conn, request); err != nil {
			return 0, err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return 0, err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || string(body) != "dark" {
			return 0, fmt.Errorf("a request was answered %s %q, %v", resp.Status, body, err)
		}
		answered++
	}
	return answered, nil
}

// printTable prints the medians of what was measured.
func printTable(path string, measured map[string][]figures) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\trequests/s\tas scs\tserver µs\tRedis µs\treads\twrites\t\n", path[1:])
	base := median(measured[contenders[0].name], func(f figures) float64 { return f.perSecond })
	for _, c := range contenders {
		of := func(value func(f figures) float64) float64 { return median(measured[c.name], value) }
		perSecond := of(func(f figures) float64 { return f.perSecond })
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.1f\t%.1f\t%.2f\t%.2f\t\n", c.name, perSecond, perSecond/base,
			of(func(f figures) float64 { return f.cpu }), of(func(f figures) float64 { return f.redisCPU }),
			of(func(f figures) float64 { return f.reads }), of(func(f figures) float64 { return f.writes }))
	}
	w.Flush()
}

func median(measured []figures, value func(f figures) float64) float64 {
	var values []float64
	for _, f := range measured {
		values = append(values, value(f))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
