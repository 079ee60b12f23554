// Package e2e shows that the page "Where you're signed in" works in a real
// browser, as people use it: by mouse, by keyboard alone, without scripts, in
// both colour schemes, in a narrow window.
//
// The tests need Chromium, and axe-core from npm ("npm ci" in this folder). They
// are skipped without, unless REVOKE_REAL=1 says that they must run. Screenshots
// are kept in the folder that REVOKE_SCREENSHOTS names.
package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var chromium struct {
	once  sync.Once
	ctx   context.Context
	close func()
	err   error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.close != nil {
		chromium.close()
	}
	os.Exit(code)
}

// startChromium starts the one browser that the tests share.
func startChromium() {
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, chromium.err = exec.LookPath(name); chromium.err == nil {
			break
		}
	}
	if chromium.err != nil {
		return
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(logError))
	chromium.ctx, chromium.close = ctx, func() { cancel(); stop() }
	chromium.err = chromedp.Run(ctx)
}

// logError leaves out that chromedp is older than some events.
func logError(format string, args ...any) {
	if !strings.HasPrefix(format, "unhandled") {
		slog.Error(fmt.Sprintf(format, args...))
	}
}

// missing skips a test that lacks something, or fails it where it must run.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("REVOKE_REAL") == "1" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// A window is a browser of its own: it shares no cookie with any other.
type window struct {
	t    *testing.T
	site *site
	ctx  context.Context

	mu         sync.Mutex
	violations []string // of the page's content security policy
}

func (s *site) open(t *testing.T, userAgent string, before ...chromedp.Action) *window {
	t.Helper()
	chromium.once.Do(startChromium)
	if chromium.err != nil {
		missing(t, "no Chromium: "+chromium.err.Error())
	}
	ctx, cancel := chromedp.NewContext(chromium.ctx, chromedp.WithTargetID(newTarget(t)))
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	w := &window{t: t, site: s, ctx: ctx}
	chromedp.ListenTarget(ctx, w.listen)
	w.run(log.Enable(), audits.Enable(), runtime.Enable(),
		emulation.SetUserAgentOverride(userAgent),
		chromedp.EmulateViewport(1000, 800))
	w.run(before...)
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.violations) > 0 {
			t.Errorf("against the content security policy: %q", w.violations)
		}
	})
	return w
}

// newTarget opens a tab in a window and a browser context of its own.
func newTarget(t *testing.T) target.ID {
	t.Helper()
	browser := cdp.WithExecutor(chromium.ctx, chromedp.FromContext(chromium.ctx).Browser)
	own, err := target.CreateBrowserContext().Do(browser)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { target.DisposeBrowserContext(own).Do(browser) })
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(own).WithNewWindow(true).Do(browser)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// ignored is what the buttons are made for: one attribute for browsers that know
// commands, the other for those that know popovers alone.
const ignored = "popovertarget is ignored on elements with commandfor."

// listen takes down what the browser reports against the page. That a response
// was an error is none of it, as pages with error codes are shown here; neither
// is that a key was quicker than the page's own focus.
func (w *window) listen(event any) {
	var text string
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Source != log.SourceNetwork && e.Entry.Source != log.SourceRendering && e.Entry.Text != ignored {
			text = fmt.Sprint(e.Entry.Source, ": ", e.Entry.Text)
		}
	case *runtime.EventConsoleAPICalled:
		text = "console: " + string(e.Type)
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Error()
	case *audits.EventIssueAdded:
		if e.Issue.Code == audits.InspectorIssueCodeContentSecurityPolicyIssue {
			details := e.Issue.Details.ContentSecurityPolicyIssueDetails
			text = fmt.Sprint(details.ViolatedDirective, " ", details.BlockedURL)
		}
	}
	if text != "" {
		w.mu.Lock()
		w.violations = append(w.violations, text)
		w.mu.Unlock()
	}
}

func (w *window) run(actions ...chromedp.Action) {
	w.t.Helper()
	if err := chromedp.Run(w.ctx, actions...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *window) visit(path string) {
	w.t.Helper()
	w.run(chromedp.Navigate(w.site.URL + path))
}

// value evaluates an expression. It works for the test where the page's own
// scripts are switched off.
func value[T any](w *window, expression string) (v T) {
	w.t.Helper()
	w.run(chromedp.Evaluate(expression, &v))
	return v
}

// until waits for an expression to become true, also across pages.
func (w *window) until(expression string) {
	w.t.Helper()
	var ok bool
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
		if err := chromedp.Run(w.ctx, chromedp.Evaluate("!!("+expression+")", &ok)); err == nil && ok {
			return
		}
	}
	w.t.Fatalf("waited in vain for %s at %s, which reads:\n%s", expression, value[string](w, "location.href"), value[string](w, "document.body.innerText"))
}

const (
	openDialog = `dialog:is([open], :popover-open)`
	noDialog   = `!document.querySelector('` + openDialog + `')`
	aDialog    = `document.querySelector('` + openDialog + `')`
	settled    = `document.getAnimations().length == 0`
)

func (w *window) click(selector string) {
	w.t.Helper()
	w.until(settled)
	w.run(chromedp.Click(selector, chromedp.ByQuery))
}

// press presses keys one after the other.
func (w *window) press(keys ...string) {
	w.t.Helper()
	for _, key := range keys {
		w.run(chromedp.KeyEvent(key))
	}
}

// tab presses Tab until an element of the selector has the focus.
func (w *window) tab(selector string) {
	w.t.Helper()
	for range 30 {
		w.press(kb.Tab)
		if w.focused(selector) {
			return
		}
	}
	w.t.Fatalf("no Tab leads to %s", selector)
}

func (w *window) focused(selector string) bool {
	w.t.Helper()
	return value[bool](w, fmt.Sprintf("document.activeElement.matches(%q)", selector))
}

// reads waits for an element whose text has the given one in it.
func (w *window) reads(selector, text string) {
	w.t.Helper()
	w.until(fmt.Sprintf("[...document.querySelectorAll(%q)].some(e => e.innerText.includes(%q))", selector, text))
}

func (w *window) devices() string {
	w.t.Helper()
	return strings.Join(value[[]string](w, "[...document.querySelectorAll('.revoke-device')].map(e => e.innerText)"), ", ")
}

// signIn signs in by the site's form.
func (w *window) signIn() {
	w.t.Helper()
	w.visit("/login")
	w.run(chromedp.SendKeys("input[name=user]", "ann"+kb.Enter, chromedp.ByQuery))
	w.until("location.pathname == '" + pagePath + "' && document.querySelector('h1')")
}
