// Soak keeps two servers over one Redis at full speed, ends them and Redis at
// random moments, and checks every answer:
//
//	go run ./soak -duration 2m
//
// With -deployment each server changes again and again from scs alone to revoke and
// back, and nobody may be signed out by it, nor what had ended open on a new server.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/revoke-sessions/revoke/proof/internal/site"
)

func main() {
	site.Main()
	var c config
	flag.DurationVar(&c.duration, "duration", 2*time.Minute, "how long to make requests")
	flag.IntVar(&c.workers, "workers", 16, "how many requests at once")
	flag.DurationVar(&c.faultEvery, "fault-every", 5*time.Second, "mean time between faults; 0 for none")
	flag.StringVar(&c.defect, "defect", "", "a defect of the store, to see it found: recreate, miss, stepwise or cached")
	deployment := flag.Bool("deployment", false, "a rolling deployment and its rollback, again and again, in place of faults")
	flag.Parse()
	soak := run
	if *deployment {
		soak = runDeployment
	}
	report, err := soak(c)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	fmt.Print(report)
	if report.failed() {
		os.Exit(1)
	}
}
