package e2e

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browsers are the ways in which the page works: its questions are the same.
var browsers = []struct {
	name    string
	scripts bool
	rewrite func([]byte) []byte
}{
	{"as it is", true, nil},
	{"without scripts", false, nil},
	{"without scripts, popovers alone", false, withoutCommands},
}

func eachBrowser(t *testing.T, test func(t *testing.T, open func(userAgent string) *window)) {
	for _, b := range browsers {
		t.Run(b.name, func(t *testing.T) {
			s := newSite(t, func(s *site) { s.rewrite = b.rewrite })
			test(t, func(userAgent string) *window {
				return s.open(t, userAgent, emulation.SetScriptExecutionDisabled(!b.scripts))
			})
		})
	}
}

// TestSignOneOut signs in from two browsers, signs the second out from the
// first, and sees it land on the login page.
func TestSignOneOut(t *testing.T) {
	eachBrowser(t, func(t *testing.T, open func(string) *window) {
		linux, windows := open(firefoxOnLinux), open(chromeOnWindows)
		windows.signIn()
		linux.signIn()
		if got := linux.devices(); got != "Firefox on Linux, Chrome on Windows" {
			t.Fatalf("in the first: %s", got)
		}
		windows.visit(pagePath)
		if got := windows.devices(); got != "Chrome on Windows, Firefox on Linux" {
			t.Fatalf("in the second: %s", got)
		}
		linux.click(openFirst)
		linux.reads(openDialog, "Sign out of Chrome on Windows?")
		linux.reads(openDialog, "cannot be undone")
		linux.click(openDialog + " .revoke-danger")
		linux.reads("[role=status]", "Signed out of Chrome on Windows.")
		linux.reads(".revoke-alone", "not signed in anywhere else")
		if got := linux.devices(); got != "Firefox on Linux" {
			t.Errorf("left: %s", got)
		}
		windows.visit(pagePath)
		windows.until("location.pathname == '/login'")
		linux.visit(pagePath)
		linux.until("!document.querySelector('.revoke-message')")
	})
}

// TestSignOutOthers shows that the question has three ways out and one way on.
func TestSignOutOthers(t *testing.T) {
	eachBrowser(t, func(t *testing.T, open func(string) *window) {
		w, phone := open(firefoxOnLinux), open(chromeOnAndroid)
		phone.signIn()
		w.site.seed(t, devices[1:]...)
		w.signIn()
		for name, cancel := range map[string]func(){
			"Escape":        func() { w.press(kb.Escape) },
			"click outside": func() { w.run(chromedp.MouseClickXY(20, 20)) },
			"Cancel":        func() { w.click(openDialog + " .revoke-cancel") },
		} {
			w.click(openAll)
			w.reads(openDialog, "Sign out of 4 other devices?")
			w.until(settled)
			cancel()
			w.until(noDialog)
			if name != "click outside" && !w.focused(openAll) {
				t.Errorf("%s: the focus does not return to the button", name)
			}
		}
		phone.visit(pagePath)
		if got := phone.devices(); got != "Chrome on Android, Firefox on Linux, Chrome on Windows, Safari on iPad, curl" {
			t.Fatalf("cancelled, and now signed in: %s", got)
		}
		w.click(openAll)
		w.until(aDialog)
		w.click(openDialog + " .revoke-danger")
		w.reads("[role=status]", "Signed out of 4 other devices.")
		phone.visit(pagePath)
		phone.until("location.pathname == '/login'")
	})
}

// TestKeyboard goes all the way by keyboard alone.
func TestKeyboard(t *testing.T) {
	eachBrowser(t, func(t *testing.T, open func(string) *window) {
		w := open(firefoxOnLinux)
		w.site.seed(t, devices...)
		w.signIn()
		w.tab("[aria-label='Sign out of Chrome on Android']")
		w.press(kb.Tab)
		if !w.focused("[aria-label='Sign out of Chrome on Windows']") {
			t.Error("the second button does not follow the first")
		}
		w.press(kb.Enter)
		w.until(aDialog)
		if !w.focused(openDialog + " .revoke-cancel") {
			t.Error("the question does not open on what changes nothing")
		}
		w.press(kb.Escape)
		w.until(noDialog)
		if !w.focused("[aria-label='Sign out of Chrome on Windows']") {
			t.Error("the focus does not return to where it was")
		}
		w.press(" ")
		w.until(aDialog)
		w.press(kb.Tab)
		if !w.focused(openDialog + " .revoke-danger") {
			t.Error("the way on does not follow the way out")
		}
		w.press(kb.Enter)
		w.reads("[role=status]", "Signed out of Chrome on Windows.")
		w.until("document.activeElement.matches('.revoke-message')") // it is read first
		w.tab(openAll)
		w.press(kb.Enter)
		w.until(aDialog)
		w.press(kb.Tab, kb.Enter)
		w.reads("[role=status]", "Signed out of 3 other devices.")
	})
}

// TestModal shows that, where buttons have commands, Tab does not leave a
// question for the page behind it.
func TestModal(t *testing.T) {
	s := newSite(t)
	s.seed(t, devices...)
	w := s.open(t, firefoxOnLinux)
	w.signIn()
	w.click(openFirst)
	w.until(aDialog)
	for range 6 {
		w.press(kb.Tab)
		if inside := value[bool](w, aDialog+".contains(document.activeElement) || document.activeElement == document.body"); !inside {
			t.Fatalf("the focus is on %s", value[string](w, "document.activeElement.outerHTML"))
		}
	}
}

// TestOldBrowser shows that the forms are there, and say the same, in a browser
// that has neither popovers nor commands.
func TestOldBrowser(t *testing.T) {
	s := newSite(t, func(s *site) { s.rewrite = withoutPopovers })
	s.seed(t, devices...)
	w := s.open(t, firefoxOnLinux, emulation.SetScriptExecutionDisabled(true))
	w.signIn()
	for _, width := range []int64{320, 1000} {
		w.run(chromedp.EmulateViewport(width, 800))
		w.fits()
		w.shoot(fmt.Sprint("old-", width))
	}
	w.click("li:nth-of-type(3) .revoke-danger")
	w.reads("[role=status]", "Signed out of Safari on iPad.")
	w.click(".revoke-all .revoke-danger")
	w.reads("[role=status]", "Signed out of 3 other devices.")
}

// TestRightToLeft shows the page in the other direction of writing.
func TestRightToLeft(t *testing.T) {
	s := newSite(t, func(s *site) {
		s.rewrite = func(page []byte) []byte {
			return bytes.Replace(page, []byte(`<html lang="en" dir="ltr">`), []byte(`<html lang="he" dir="rtl">`), 1)
		}
	})
	s.seed(t, devices...)
	w := s.open(t, firefoxOnLinux)
	w.signIn()
	left := "document.querySelector(%q).getBoundingClientRect().left"
	if !value[bool](w, fmt.Sprintf(left+" > "+left, "li .revoke-icon", openFirst)) {
		t.Error("the page is not mirrored")
	}
	for _, width := range []int64{320, 1000} {
		w.run(chromedp.EmulateViewport(width, 800))
		w.fits()
	}
	w.accessible("right to left")
	w.shoot("rtl")
	w.click(openFirst)
	w.until(aDialog)
	w.shoot("rtl-dialog")
}

// TestMotion shows that nothing moves for those who want nothing to.
func TestMotion(t *testing.T) {
	s := newSite(t)
	s.seed(t, devices...)
	w := s.open(t, firefoxOnLinux)
	w.signIn()
	for motion, want := range map[string]string{"no-preference": "revoke-rise", "reduce": "none"} {
		w.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: motion}}))
		w.visit(pagePath)
		w.click(openFirst)
		w.until(aDialog)
		if got := value[string](w, "getComputedStyle("+aDialog+").animationName"); got != want {
			t.Errorf("%s: %s", motion, got)
		}
	}
}
