package proof_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/proof/internal/site"
)

func TestMain(m *testing.M) {
	site.Main()
	os.Exit(m.Run())
}

// usersAtOnce is how many users' histories are made at the same time.
const usersAtOnce = 4

// A deployment is two server processes over one store.
type deployment struct {
	servers []*site.Process
	client  *site.Client
}

// users is how many users there have been, so that no two deployments share one.
var users atomic.Int64

// deploy starts the processes, each with what it reaches the store by.
func deploy(t *testing.T, defect string, places ...site.Place) *deployment {
	t.Helper()
	return deployAs(t, site.Config{Defect: defect}, places...)
}

func deployAs(t *testing.T, c site.Config, places ...site.Place) *deployment {
	t.Helper()
	d := &deployment{client: site.NewClient()}
	t.Cleanup(d.client.Close)
	for _, place := range places {
		c.Store = place
		server, err := site.Start(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			server.Kill()
			if text := server.Stderr(); text != "" {
				t.Errorf("a server said:\n%s", text)
			}
		})
		d.servers = append(d.servers, server)
	}
	return d
}

// deployOverRedis puts a proxy between each process and one Redis.
func deployOverRedis(t *testing.T, defect string) (*deployment, *redistest.Server, []*redistest.Proxy) {
	t.Helper()
	redis, proxies, places := overRedis(t)
	return deploy(t, defect, places...), redis, proxies
}

// overRedis starts a Redis, and a proxy for each process.
func overRedis(t *testing.T) (redis *redistest.Server, proxies []*redistest.Proxy, places []site.Place) {
	t.Helper()
	redis = redistest.Start(t)
	redis.NeedReal(t)
	proxies = []*redistest.Proxy{redistest.NewProxy(t, redis), redistest.NewProxy(t, redis)}
	for _, p := range proxies {
		places = append(places, site.Place{Kind: site.Redis, Address: p.Addr})
	}
	return redis, proxies, places
}

// run makes histories of some users at the same time.
func (d *deployment) run(hangUp bool) []*history {
	urls := d.urls()
	histories := make([]*history, usersAtOnce)
	var wg sync.WaitGroup
	for i := range histories {
		h := newHistory(fmt.Sprintf("user%d", users.Add(1)), urls, d.client, hangUp)
		histories[i] = h
		wg.Go(h.run)
	}
	wg.Wait()
	return histories
}

func (d *deployment) urls() (urls []string) {
	for _, server := range d.servers {
		urls = append(urls, server.URL)
	}
	return urls
}

// picture saves what porcupine draws of a history, and returns where.
func (h *history) picture(t *testing.T, dir string, info porcupine.LinearizationInfo) string {
	t.Helper()
	name := strings.ReplaceAll(t.Name(), "/", "-") + "-" + h.user + ".html"
	path := filepath.Join(dir, name)
	if err := porcupine.VisualizePath(sessionsModel, info, path); err != nil {
		t.Errorf("draw the history: %v", err)
	}
	return path
}

// artifacts returns the directory of go test -artifacts where that was asked for,
// and otherwise one that is there after the test only if it is to be kept.
func artifacts(t *testing.T, keep bool) string {
	t.Helper()
	f := flag.Lookup("test.artifacts") // since Go 1.26
	if a, ok := any(t).(interface{ ArtifactDir() string }); ok && f != nil && f.Value.String() == "true" {
		return a.ArtifactDir()
	}
	if !keep {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("", "revoke-history-")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// expectLinearizable makes histories for a time and checks each.
func (d *deployment) expectLinearizable(t *testing.T, lasting time.Duration, hangUp bool) {
	t.Helper()
	var histories, undecided, operations, unknown int
	longest := time.Duration(0)
	for start := time.Now(); time.Since(start) < lasting && !t.Failed(); {
		for _, h := range d.run(hangUp) {
			for _, wrong := range h.wrong {
				t.Errorf("%s: %s", h.user, wrong)
			}
			began := time.Now()
			result, info := h.check(8 * time.Second)
			longest = max(longest, time.Since(began))
			switch result {
			case porcupine.Illegal:
				t.Errorf("%s: the history is not linearizable; see %s", h.user, h.picture(t, artifacts(t, true), info))
			case porcupine.Unknown:
				undecided++
			}
			histories++
			operations += len(h.operations)
			unknown += h.unknown
		}
	}
	t.Logf("%d histories, %d operations, of which %d with an unknown outcome; the longest check took %v, and %d were not finished",
		histories, operations, unknown, longest.Round(time.Millisecond), undecided)
	if undecided > histories/4 {
		t.Errorf("%d of %d histories have too many orders to be checked in time", undecided, histories)
	}
	if unknown > 0 && !hangUp {
		t.Errorf("%d operations failed, and there was no fault", unknown)
	}
}

func TestSessionsAreLinearizable(t *testing.T) {
	d, _, _ := deployOverRedis(t, "")
	d.expectLinearizable(t, 5*time.Second, false)
}

// What was under way when a connection broke may have been carried out or not,
// then or later; everything that was answered must fit.
func TestSessionsAreLinearizableUnderFaults(t *testing.T) {
	d, redis, proxies := deployOverRedis(t, "")
	defer disturb(redis, proxies)()
	d.expectLinearizable(t, 7*time.Second, true)
}

// disturb has connections to Redis break now and then.
func disturb(redis *redistest.Server, proxies []*redistest.Proxy) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			p := proxies[rand.IntN(len(proxies))]
			lasting := time.Duration(rand.IntN(12)) * time.Millisecond
			switch rand.IntN(6) {
			case 0:
				p.CloseAll()
			case 1:
				p.Refuse()
			case 2:
				p.Cut(rand.IntN(8))
			case 3:
				p.Stall()
			default:
				redis.Do("SCRIPT", "FLUSH")
			}
			time.Sleep(lasting)
			p.Heal()
			select {
			case <-over:
				return
			case <-time.After(time.Duration(rand.IntN(120)) * time.Millisecond):
			}
		}
	}()
	return func() { close(over); <-done }
}

// A checker that accepts everything proves nothing.
func TestDefectsAreFound(t *testing.T) {
	for defect, what := range site.Defects {
		t.Run(defect, func(t *testing.T) {
			d, _, _ := deployOverRedis(t, defect)
			d.expectDefect(t, what)
		})
	}
}

// expectDefect makes histories until one is not linearizable.
func (d *deployment) expectDefect(t *testing.T, what string) {
	t.Helper()
	for start := time.Now(); time.Since(start) < 15*time.Second; {
		for _, h := range d.run(false) {
			result, info := h.check(10 * time.Second)
			if result != porcupine.Illegal {
				continue
			}
			path := h.picture(t, artifacts(t, false), info)
			html, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(html), "sign in as") || !strings.Contains(string(html), "</html>") {
				t.Errorf("%s shows no history: %v, %d bytes", path, err, len(html))
			}
			t.Logf("%s: found after %v, in a history of %d operations; drawn in %s, %d bytes",
				what, time.Since(start).Round(time.Millisecond), len(h.operations), path, len(html))
			return
		}
	}
	t.Errorf("not found: %s", what)
}
