package testapp

import (
	"flag"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// Main is the TestMain of a package whose tests have applications.
func Main(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	flag.Parse()
	if n := flag.Lookup("test.parallel"); flag.Lookup("test.fuzz").Value.String() == "" && n.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		n.Value.Set("8") // most of what is parallel waits for a Redis to notice something
	}
	os.Exit(m.Run())
}
