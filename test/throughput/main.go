// Throughput compares plain scs and revoke over each client of Redis, with many clients
// at a time:
//
//	cd test/throughput && go run .
//
// It needs redis-server. Each contender is a net/http server in a process of its own, and
// all of them use one Redis. They are measured in turn, several times, and the table has
// the median of each. Run it on a machine that does nothing else. The last two columns
// are how often Redis reads from its connections for a request, and writes to them: the
// fewer, the more commands travel together.
package main

import (
	"flag"
	"fmt"
	"log"
	"time"
)

func main() {
	serve := flag.String("serve", "", "be the server of the contender of that `name`; used by the program itself")
	redis := flag.String("redis", "", "`address` of the Redis to use; one of its own if empty")
	clients := flag.Int("clients", 64, "`how many` requests are made at a time")
	rounds := flag.Int("rounds", 9, "`how often` each contender is measured")
	each := flag.Duration("for", time.Second, "`how long` each contender is measured")
	flag.Parse()

	var err error
	if *serve != "" {
		err = serveContender(*serve, *redis)
	} else {
		err = compare(*redis, *clients, *rounds, *each)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// compare measures the contenders in turn, and prints a table.
func compare(redis string, clients, rounds int, each time.Duration) error {
	if redis == "" {
		address, stop, err := startRedis()
		if err != nil {
			return err
		}
		defer stop()
		redis = address
	}
	var servers []*server
	for _, c := range contenders {
		s, err := startServer(c.name, redis)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		defer s.stop()
		servers = append(servers, s)
	}
	for _, path := range []string{"/read", "/write"} {
		measured := make(map[string][]figures)
		for range rounds {
			for _, s := range servers {
				f, err := s.measure(redis, path, clients, each)
				if err != nil {
					return fmt.Errorf("%s%s: %w", s.name, path, err)
				}
				measured[s.name] = append(measured[s.name], f)
			}
		}
		printTable(path, measured)
	}
	return nil
}
