package interleaving

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/alexedwards/scs/v2"
)

// An exchange is a request and its response.
type exchange struct {
	*scene
	name   string
	act    act
	at     browser
	cookie string // of the request

	ctx        context.Context // of the handler
	loaded     sessionNo       // that the handler found
	saving     int             // steps taken up to the save step
	whenSaved  []operation     // what the save step will have done
	signedOff  bool            // the handler asked for its session to end
	afterwards func()          // in a goroutine that the handler leaves behind
}

type exchangeKey struct{}

// in returns a context by which the stores know whose call they get.
func (x *exchange) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// send sends a request with the cookie that the browser holds.
func (sc *scene) send(name string, at browser, a act) {
	x := &exchange{scene: sc, name: name, act: a, at: at, cookie: sc.jars[at], loaded: nobody}
	w := &response{header: make(http.Header)}
	w.begins = func() { x.deliver(w) }
	x.saving = x.run.Taken()
	x.serve(w)
	for _, op := range x.whenSaved {
		x.did(x.saving, op)
	}
	if x.afterwards != nil {
		x.run.Go("a goroutine of "+name, x.afterwards)
	}
	if w.WriteHeader(http.StatusOK); w.status != http.StatusOK {
		x.fail("%s was answered with %d", a.does, w.status)
	}
}

func (x *exchange) serve(w *response) {
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler {
			panic(v)
		}
	}()
	x.handler.ServeHTTP(w, newExchangeRequest(x.in(context.Background()), x.cookie))
}

// serveExchange is the handler of the application.
func serveExchange(w http.ResponseWriter, r *http.Request) {
	if p, ok := r.Context().Value(probeKey{}).(*probe); ok {
		p.look(r.Context())
		return
	}
	x := r.Context().Value(exchangeKey{}).(*exchange)
	x.ctx = r.Context()
	x.loaded = sessionIn(x.sm, x.ctx)
	presented := x.sessionOf(x.cookie)
	if presented != nobody && x.signIns[presented].legacy {
		x.did(x.saving, operation{kind: adopts, target: presented})
	}
	x.did(x.saving, operation{kind: loads, target: presented, found: x.loaded})
	defer func() { x.saving = x.run.Taken() }()
	x.act.do(x, w, x.ctx)
}

// sessionIn returns the session that the data names, if it is signed in.
func sessionIn(sm *scs.SessionManager, ctx context.Context) sessionNo {
	n, ok := sm.Get(ctx, "session").(int)
	if !ok || sm.GetString(ctx, "userID") == "" {
		return nobody
	}
	return sessionNo(n)
}

// begin begins a session that the request signs in to.
func (x *exchange) begin(user string) sessionNo {
	name := fmt.Sprintf("the %v's session", x.at)
	if x.playing {
		name = "the session that " + x.name + " began"
	}
	x.signIns = append(x.signIns, signIn{name: name, user: user, holders: []browser{x.at}})
	return sessionNo(len(x.signIns) - 1)
}

// deliver takes the cookie of the response to the browser, as soon as its
// header is sent.
func (x *exchange) deliver(w *response) {
	cookies := w.cookies()
	if len(cookies) == 0 {
		return
	}
	session := sessionIn(x.sm, x.ctx)
	for _, cookie := range cookies {
		x.issue(cookie, session)
	}
	if w.hijacked {
		return
	}
	cookie := cookies[len(cookies)-1]
	arrive := func() {
		if x.jars[x.at] != cookie {
			x.jars[x.at] = cookie
			x.setBy[x.at] = setBy{x, session == nobody && cookie != "" && cookie != x.cookie}
		}
	}
	if !x.playing || !x.setting.arrivals {
		arrive()
		return
	}
	x.run.Go("the response to "+x.name, func() {
		x.run.Step("arrives")
		arrive()
	})
}

// A setBy is whose response has set a cookie, and whether to that of a new
// visitor.
type setBy struct {
	*exchange
	newVisitor bool
}

// issue notes a value that the cookie was given.
func (x *exchange) issue(cookie string, n sessionNo) {
	if cookie == "" || slices.ContainsFunc(x.issued, func(c issued) bool { return c.cookie == cookie }) {
		return
	}
	_, step := x.run.Since(x.run.Taken())
	x.issued = append(x.issued, issued{cookie, n, step})
	_, id, isSession := tokenParts(cookie)
	switch {
	case x.sessions == nil:
	case isSession != (n != nobody):
		x.fail("the cookie of %v is %q", x.named(n), cookie)
	case isSession && !x.signIns[n].legacy && slices.ContainsFunc(x.issued, func(c issued) bool {
		return c.session == nobody && strings.HasSuffix(cookie, "."+c.cookie)
	}):
		x.fail("%v has the token of the visitor", x.named(n))
	case isSession && x.signIns[n].id == "":
		x.signIns[n].id = id
	case isSession && x.signIns[n].id != id:
		x.fail("%v has become two", x.named(n))
	}
}

// did notes what was done in the steps that the request has taken since it had
// taken so many.
func (x *exchange) did(taken int, op operation) {
	if op.kind == logsOut || op.kind == revokes && op.err == nil && op.target == x.loaded {
		x.signedOff = true
	}
	op.who = x.name
	op.first, op.last = x.run.Since(taken)
	x.operations = append(x.operations, op)
}

// renewing notes that the request is about to make older cookies stale.
func (x *exchange) renewing(n sessionNo) {
	if n != nobody {
		x.renewals = append(x.renewals, renewal{n, len(x.run.Steps())})
	}
}

func (x *exchange) must(err error) {
	if err != nil {
		x.fail("%v", err)
	}
}

func (x *exchange) fail(format string, values ...any) {
	if x.wrong == nil {
		x.wrong = fmt.Errorf(x.name+": "+format, values...)
	}
}

// A response is a recorder that can be hijacked.
type response struct {
	header   http.Header
	status   int
	begins   func()
	hijacked bool
}

func (w *response) Header() http.Header { return w.header }
func (w *response) Flush()              { w.WriteHeader(http.StatusOK) }

func (w *response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(b), nil
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.begins()
	}
}

func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.hijacked = true
	return nil, nil, nil
}

// cookies returns what the response sets the session's cookie to.
func (w *response) cookies() (values []string) {
	for _, line := range w.header["Set-Cookie"] {
		value, _, _ := strings.Cut(line, ";")
		values = append(values, strings.TrimPrefix(value, "session="))
	}
	return values
}

var exchangeURL = &url.URL{Path: "/"}

// newExchangeRequest is httptest.NewRequest without the parsing, which takes
// longer than a scene.
func newExchangeRequest(ctx context.Context, cookie string) *http.Request {
	r := &http.Request{
		Method: "POST", URL: exchangeURL, Host: "example.com", RemoteAddr: "192.0.2.1:1234",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header),
	}
	if cookie != "" {
		r.Header["Cookie"] = []string{"session=" + cookie}
	}
	return r.WithContext(ctx)
}
