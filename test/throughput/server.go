package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	redigo "github.com/gomodule/redigo/redis"
)

// A server is a contender in a process of its own.
type server struct {
	name, address string
	cookies       []string
	stop          func()
}

func startServer(name, redis string) (*server, error) {
	cmd := exec.Command(os.Args[0], "-serve", name, "-redis", redis)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{name: name, stop: func() { cmd.Process.Kill(); cmd.Wait() }}
	line, err := bufio.NewReader(out).ReadString('\n')
	s.address = strings.TrimSpace(line)
	for user := 0; user < 200 && err == nil; user++ {
		err = s.signIn(user)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) signIn(user int) error {
	resp, err := http.Get(fmt.Sprintf("http://%s/login?user=%d", s.address, user))
	if err != nil {
		return err
	}
	resp.Body.Close()
	for _, c := range resp.Cookies() {
		s.cookies = append(s.cookies, c.Name+"="+c.Value)
		return nil
	}
	return fmt.Errorf("sign-in returned %s and no cookie", resp.Status)
}

// cpu returns how much processor time the server has used.
func (s *server) cpu() (time.Duration, error) {
	resp, err := http.Get("http://" + s.address + "/cpu")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	micros, err := strconv.ParseInt(string(text), 10, 64)
	return time.Duration(micros) * time.Microsecond, err
}

// cpuTime returns how much processor time this process has used.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// startRedis starts a Redis that keeps nothing on disk.
func startRedis() (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address = l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	l.Close()
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { cmd.Process.Kill(); cmd.Wait() }
	for range 500 {
		if _, err = redisInfo(address); err == nil {
			return address, stop, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	return "", nil, fmt.Errorf("redis-server does not answer: %w", err)
}

// redisInfo returns what Redis counts.
func redisInfo(address string) (map[string]float64, error) {
	conn, err := redigo.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	text, err := redigo.String(conn.Do("INFO", "everything"))
	if err != nil {
		return nil, err
	}
	info := make(map[string]float64)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			info[name] = n
		}
	}
	if _, ok := info["total_reads_processed"]; !ok {
		return nil, errors.New("this Redis does not count its reads: it must be 6.0 or later")
	}
	return info, nil
}
