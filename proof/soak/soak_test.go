package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/proof/internal/site"
)

func TestMain(m *testing.M) {
	site.Main()
	os.Exit(m.Run())
}

func needRedis(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("REVOKE_REAL") == "1" {
			t.Fatalf("REVOKE_REAL is set, but %v", err)
		}
		t.Skip("needs a real redis-server, which is not installed")
	}
}

func TestSoak(t *testing.T) {
	needRedis(t)
	report, err := run(config{duration: 5 * time.Second, workers: 8, faultEvery: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%v", report)
	if report.failed() {
		t.Error("there are wrong answers or leaks")
	}
}

func TestSoakFindsDefects(t *testing.T) {
	needRedis(t)
	for _, defect := range []string{"recreate", "miss", "cached"} {
		t.Run(defect, func(t *testing.T) {
			report, err := run(config{duration: 1500 * time.Millisecond, workers: 8, defect: defect})
			if err != nil {
				t.Fatal(err)
			}
			if report.wrong == 0 {
				t.Errorf("not found:\n%v", report)
			}
		})
	}
}

func TestDeployment(t *testing.T) {
	needRedis(t)
	report, err := runDeployment(config{duration: 5 * time.Second, workers: 8, faultEvery: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%v", report)
	if report.failed() {
		t.Error("there are wrong answers")
	}
}

func TestDeploymentFindsDefects(t *testing.T) {
	needRedis(t)
	report, err := runDeployment(config{duration: 4 * time.Second, workers: 8, faultEvery: 500 * time.Millisecond, defect: "unmarked"})
	if err != nil {
		t.Fatal(err)
	}
	if report.wrong == 0 {
		t.Errorf("not found:\n%v", report)
	}
}
