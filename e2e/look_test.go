package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/revoke-sessions/revoke"
)

func scheme(name string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}})
}

func (w *window) shoot(name string) {
	w.t.Helper()
	dir := os.Getenv("REVOKE_SCREENSHOTS")
	if dir == "" {
		dir = w.t.TempDir()
	}
	w.until(settled)
	var png []byte
	if value[bool](w, aDialog+" != null") {
		w.run(chromedp.CaptureScreenshot(&png))
	} else {
		w.run(chromedp.FullScreenshot(&png, 100))
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// fits fails where the page has to be scrolled sideways.
func (w *window) fits() {
	w.t.Helper()
	if over := value[int](w, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
		w.t.Errorf("%d pixels wider than the window", over)
	}
}

// accessible fails for whatever axe-core finds on the page as it is now.
func (w *window) accessible(state string) {
	w.t.Helper()
	script, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		missing(w.t, "no axe-core: run npm ci in e2e")
	}
	w.until(settled)
	w.run(chromedp.Evaluate(string(script)+"; true", nil))
	var result string
	w.run(chromedp.Evaluate(`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => JSON.stringify({
		checked: r.passes.length,
		violations: r.violations.map(v => v.id + ": " + v.help + " " + v.nodes.map(n => n.html.slice(0, 200) + " " + n.failureSummary).join("; "))}))`,
		&result, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var found struct {
		Checked    int
		Violations []string
	}
	if err := json.Unmarshal([]byte(result), &found); err != nil || found.Checked < 10 {
		w.t.Errorf("%s: %v, %d rules checked", state, err, found.Checked)
	}
	for _, violation := range found.Violations {
		w.t.Errorf("%s: %s", state, violation)
	}
}

const openFirst, openAll = "li .revoke-open", ".revoke-open-all"

// TestLooks goes through the states of the page in both colour schemes, with
// axe-core at each, and keeps a screenshot.
func TestLooks(t *testing.T) {
	s := newSite(t)
	s.seed(t, devices...)
	w := s.open(t, firefoxOnLinux)
	w.signIn()
	for _, colours := range []string{"light", "dark"} {
		w.run(scheme(colours), chromedp.EmulateViewport(1000, 800))
		w.visit(pagePath)
		w.fits()
		w.accessible(colours)
		w.shoot(colours)
		w.click("li:nth-of-type(2) > .revoke-open")
		w.until(aDialog)
		w.accessible(colours + ", dialog")
		w.shoot(colours + "-dialog")
		w.visit(pagePath)
		w.click(openAll)
		w.until(aDialog)
		w.accessible(colours + ", dialog for all")
		w.shoot(colours + "-dialog-all")

		// 400 % zoom of a window of 1280 by 1024 pixels is 320 by 256 of CSS.
		for _, height := range []int64{700, 256} {
			name := fmt.Sprintf("%s-320x%d", colours, height)
			w.run(chromedp.EmulateViewport(320, height))
			w.visit(pagePath)
			w.fits()
			w.accessible(name)
			w.shoot(name)
			w.click("li:nth-of-type(2) > .revoke-open")
			w.until(aDialog)
			w.fits()
			w.accessible(name + ", dialog")
			w.shoot(name + "-dialog")
			box := value[[]float64](w, "(r => [r.left, r.top, innerWidth - r.right, innerHeight - r.bottom])("+aDialog+".getBoundingClientRect())")
			for _, gap := range box {
				if gap < 0 {
					t.Errorf("%s: the dialog leaves the window: %v", name, box)
				}
			}
		}
	}
}

func TestLooksAfterwards(t *testing.T) {
	s := newSite(t, func(s *site) { s.options.ReauthenticateURL = "/login" })
	s.seed(t, devices[:2]...)
	w := s.open(t, firefoxOnLinux)
	w.signIn()
	confirm := func(open string) {
		t.Helper()
		w.visit(pagePath)
		w.click(open)
		w.until(aDialog)
		w.click(openDialog + " .revoke-danger")
	}
	state := func(name, text string) {
		t.Helper()
		w.reads(".revoke-message", text)
		for _, colours := range []string{"light", "dark"} {
			w.run(scheme(colours))
			w.fits()
			w.accessible(name + ", " + colours)
			w.shoot(name + "-" + colours)
		}
	}
	s.sessions.Authorize = revoke.RecentLogin(-1)
	confirm(openFirst)
	state("step-up", "confirm that it's you")
	s.sessions.Authorize = nil
	limiter := s.sessions.Limiter
	s.sessions.Limiter = revoke.NewLimiter(1, time.Hour)
	confirm(openFirst)
	state("done", "Signed out of Chrome on Android.")
	confirm(openFirst)
	state("limited", "Try again in 60 minutes.")
	s.sessions.Limiter = limiter
	confirm(openAll)
	state("single", "Signed out of 1 other device.")
	w.visit(pagePath)
	w.reads(".revoke-alone", "not signed in anywhere else")
	w.accessible("alone")
	w.shoot("alone")
	s.aged.mu.Lock()
	s.aged.down = true
	s.aged.mu.Unlock()
	w.visit(pagePath)
	state("down", "can't be shown at the moment")
}

func TestLooksWithAHundred(t *testing.T) {
	s := newSite(t)
	for i := range 99 {
		d := devices[i%len(devices)]
		d.seen = time.Duration(i*i) * 7 * time.Minute
		d.age = d.seen + day
		s.seed(t, d)
	}
	w := s.open(t, firefoxOnLinux)
	w.signIn()
	w.reads("h2", "99 other devices")
	w.fits()
	w.accessible("one hundred")
	w.shoot("hundred")
	w.click(".revoke-jump")
	w.until("scrollY > 1000")
	w.click(openAll)
	w.reads(openDialog, "Sign out of 99 other devices?")
}

// TestLooksBeyondAHundred shows that a longer list goes on to a second page, and
// back.
func TestLooksBeyondAHundred(t *testing.T) {
	s := newSite(t, func(s *site) { s.sessions.MaxPerUser = 0 })
	for i := range 102 {
		d := devices[i%len(devices)]
		d.seen = time.Duration(i+1) * time.Hour
		s.seed(t, d)
	}
	w := s.open(t, firefoxOnLinux)
	w.signIn()
	w.reads("h2#revoke-others", "102 other devices")
	w.click("[rel=next]")
	w.until("location.search == '?page=2'")
	w.until("document.querySelectorAll('.revoke-card li.revoke-session').length == 2")
	for _, width := range []int64{1000, 320} {
		w.run(chromedp.EmulateViewport(width, 700))
		w.fits()
		w.accessible(fmt.Sprint("second page, ", width))
		w.shoot(fmt.Sprint("second-page-", width))
	}
	w.click(".revoke-card li:nth-of-type(2) .revoke-open")
	w.click(openDialog + " .revoke-danger")
	w.reads("[role=status]", "Signed out of ")
	w.until("location.search == '?page=2'")
	w.click("[rel=prev]")
	w.until("location.search == '?page=1'")
	w.reads("h2#revoke-others", "101 other devices")
}

// TestLooksHostile shows that names of devices and places neither leave their
// place nor cover another's.
func TestLooksHostile(t *testing.T) {
	s := newSite(t, func(s *site) { s.sessions.Device = func(userAgent string) string { return userAgent } })
	long := "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"
	for _, text := range []string{
		long + long + long + long + long + long + long + long + long + long + long + long + long + long + long + long,
		"<b>This device</b>", "\u05d0\u05d1\u05d2 (1) \u202e evil", "Z\u0335\u0321\u0322\u031b\u0357\u0358\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a\u030b\u030c\u030d\u030e\u030f\u0310\u0311\u0312\u0313\u0314algo",
	} {
		s.seed(t, device{text, "192.0.2.1", text, day, time.Hour})
	}
	w := s.open(t, firefoxOnLinux)
	w.signIn()
	for _, width := range []int64{1000, 320} {
		w.run(chromedp.EmulateViewport(width, 700))
		w.fits()
		w.shoot(fmt.Sprint("hostile-", width))
	}
	w.accessible("hostile")
	w.click("li:nth-of-type(4) > .revoke-open")
	w.until(aDialog)
	w.fits()
	w.shoot("hostile-dialog")
}

func TestLooksSignedOut(t *testing.T) {
	s := newSite(t, func(s *site) { s.options.LoginURL = "" })
	w := s.open(t, firefoxOnLinux)
	w.visit(pagePath)
	w.reads("[role=alert]", "You're not signed in.")
	w.accessible("signed out")
	w.shoot("signed-out")
}
