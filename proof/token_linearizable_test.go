package proof_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/proof/internal/site"
)

// lease is short, so that histories have many revocations.
const lease = 50 * time.Millisecond

// apps are how the servers are set up for apps: in one setting the use of an old token
// ends its session, and in the other there are leases.
var (
	withAlarms = site.Config{ReuseGrace: time.Nanosecond}
	withLeases = site.Config{Lease: lease}
)

// A trial of apps makes histories with servers that are set up in some way.
type appTrial struct {
	*deployment
	config  site.Config
	redis   *redistest.Server
	proxies []*redistest.Proxy
}

func deployApps(t *testing.T, c site.Config, defect string) appTrial {
	t.Helper()
	c.Defect = defect
	redis, proxies, places := overRedis(t)
	return appTrial{deployAs(t, c, places...), c, redis, proxies}
}

// run makes histories of some users at the same time.
func (a appTrial) run() []*tokenHistory {
	histories := make([]*tokenHistory, usersAtOnce)
	var wg sync.WaitGroup
	for i := range histories {
		h := &tokenHistory{
			user: fmt.Sprintf("user%d", users.Add(1)), servers: a.urls(), client: a.client, start: time.Now(), named: make(map[string]int),
			leased: a.config.Lease > 0, alarms: a.config.ReuseGrace > 0,
		}
		histories[i] = h
		wg.Go(h.run)
	}
	wg.Wait()
	return histories
}

// A verdict is what is wrong with a history, and what porcupine says of it.
type verdict struct {
	wrong    []string
	model    porcupine.Model
	info     porcupine.LinearizationInfo
	finished bool
	ofLeases int // how many histories of leases there are
}

func (h *tokenHistory) verdict() verdict {
	result, info := h.check(8 * time.Second)
	v := verdict{h.wrong, tokenModel(h.alarms), info, result != porcupine.Unknown, 0}
	if result == porcupine.Illegal {
		v.wrong = append(v.wrong, "the history is not linearizable")
		return v
	}
	if h.leased {
		var illegal []porcupine.LinearizationInfo
		if v.ofLeases, illegal = h.checkLeases(); len(illegal) > 0 {
			v.wrong, v.model, v.info = append(v.wrong, "a process says yes after the answer"), leaseModel, illegal[0]
		}
	}
	return v
}

// draw saves a picture of a history, and returns where.
func (v verdict) draw(t *testing.T, user string, keep bool) string {
	t.Helper()
	path := filepath.Join(artifacts(t, keep), strings.ReplaceAll(t.Name(), "/", "-")+"-"+user+".html")
	if err := porcupine.VisualizePath(v.model, v.info, path); err != nil {
		t.Errorf("draw the history: %v", err)
	}
	return path
}

func (a appTrial) expectLinearizable(t *testing.T, lasting time.Duration, faults bool) {
	t.Helper()
	var histories, undecided, operations, questions, ofLeases, unknown int
	for start := time.Now(); time.Since(start) < lasting && !t.Failed(); {
		for _, h := range a.run() {
			v := h.verdict()
			if len(v.wrong) > 0 {
				t.Errorf("%s: %s; see %s", h.user, strings.Join(v.wrong, "; "), v.draw(t, h.user, true))
			}
			if !v.finished {
				undecided++
			}
			histories, operations, unknown = histories+1, operations+len(h.operations), unknown+h.unknown
			questions, ofLeases = questions+len(h.questions), ofLeases+v.ofLeases
		}
	}
	t.Logf("%d histories, of which %d were not decided; %d operations, of which %d with an unknown outcome; %d questions, in %d histories of leases",
		histories, undecided, operations, unknown, questions, ofLeases)
	if undecided*4 > histories {
		t.Errorf("%d of %d histories were not decided", undecided, histories)
	}
	if unknown > 0 && !faults {
		t.Errorf("%d operations failed, and there was no fault", unknown)
	}
}

// TestTokensAreLinearizable has apps issue, use, rotate and refresh tokens, use old ones
// again, and end sessions.
func TestTokensAreLinearizable(t *testing.T) {
	deployApps(t, withAlarms, "").expectLinearizable(t, 3*time.Second, false)
}

// TestTokensAreLinearizableUnderFaults has connections break meanwhile.
func TestTokensAreLinearizableUnderFaults(t *testing.T) {
	a := deployApps(t, withAlarms, "")
	defer disturb(a.redis, a.proxies)()
	a.expectLinearizable(t, 3*time.Second, true)
}

// TestLeasesAreLinearizable has both servers asked all the time which sessions are live.
func TestLeasesAreLinearizable(t *testing.T) {
	deployApps(t, withLeases, "").expectLinearizable(t, 4*time.Second, false)
}

// TestTokenDefectsAreFound shows that the checks of tokens and of leases find something.
func TestTokenDefectsAreFound(t *testing.T) {
	find := func(c site.Config, defects map[string]string) {
		for defect, what := range defects {
			t.Run(defect, func(t *testing.T) {
				a := deployApps(t, c, defect)
				for start := time.Now(); time.Since(start) < 15*time.Second; {
					for _, h := range a.run() {
						if v := h.verdict(); len(v.wrong) > 0 {
							t.Logf("%s: %s, found after %v; drawn in %s", what, strings.Join(v.wrong, "; "), time.Since(start).Round(time.Millisecond), v.draw(t, h.user, false))
							return
						}
					}
				}
				t.Errorf("not found: %s", what)
			})
		}
	}
	find(withAlarms, site.TokenDefects)
	find(withLeases, site.LeaseDefects)
}
