package theatre

import (
	"bufio"
	"cmp"
	"context"
	"errors"
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
	sm     *scs.SessionManager // of the node that serves it
	plain  bool                // that node is one of plain scs beside those of revoke
	cookie string              // of the request
	began  int                 // tick at which a sign-in of the request began

	ctx        context.Context // of the handler
	loaded     sessionNo       // that the handler found
	saving     int             // steps taken up to the save step
	whenSaved  []operation     // what the save step will have done
	instead    operation       // or this, if the session that is logged in to anew has ended
	signedOff  bool            // the handler asked for its session to end
	asks       bool            // the handler asked for something that must not be dropped in silence
	proves     bool            // and its user has proved again who they are
	merges     bool            // it merged another user's session, in which it goes on
	lost       bool            // the response never arrives
	wasRenewed bool            // the session had a newer cookie when the request arrived
	faulty     bool            // a call of a store that was made for it has failed
	afterwards func()          // in a goroutine that the handler leaves behind
}

type exchangeKey struct{}

// in returns a context by which the stores know whose call they get.
func (x *exchange) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// send sends a request with the cookie that the browser holds.
func (sc *scene) send(name string, at browser, a act, toPlainNode bool) {
	x := &exchange{scene: sc, name: name, act: a, at: at, sm: sc.sm, plain: toPlainNode, cookie: sc.jars[at], loaded: nobody}
	w := &response{header: make(http.Header)}
	w.begins = func() { x.deliver(w) }
	sc.sent[at] = true
	x.saving = x.run.Taken()
	x.began = x.tick()
	if n := sc.sessionOf(x.cookie); n != nobody && sc.firstCookie(n) != x.cookie { // its first use ends the one before
		sc.renewals = append(sc.renewals, renewal{session: n, step: len(sc.run.Steps())})
	}
	panicked := x.serve(w)
	w.WriteHeader(http.StatusOK)
	x.carriedOut(w.status)
	if x.afterwards != nil {
		x.run.Go("a goroutine of "+name, x.afterwards)
	}
	x.isUsed(!panicked && w.status == http.StatusOK)
}

// byPlainSCS reports whether the request is served by plain scs.
func (x *exchange) byPlainSCS() bool { return x.plain || x.sessions == nil }

func (x *exchange) serve(w *response) (panicked bool) {
	defer func() {
		v := recover()
		if panicked = v != nil; panicked && v != http.ErrAbortHandler {
			panic(v)
		}
	}()
	handler := x.handler
	if x.plain {
		x.sm, handler = x.stage.plain.sm, x.stage.plain.handler
	}
	handler.ServeHTTP(w, newExchangeRequest(x.in(context.Background()), x.cookie))
	return false
}

// serveExchange is the handler of the application.
func serveExchange(w http.ResponseWriter, r *http.Request) {
	if p, ok := r.Context().Value(probeKey{}).(*probe); ok {
		p.look(r.Context())
		return
	}
	x := r.Context().Value(exchangeKey{}).(*exchange)
	x.ctx = r.Context()
	x.loaded = x.sessionIn(x.sm, x.ctx)
	presented := x.sessionOf(x.cookie)
	if x.plain {
		x.act.do(x, w, x.ctx)
		return
	}
	x.wasRenewed = x.loaded != nobody && x.cookie != x.newestOf(x.loaded)
	if x.loaded != nobody && x.signIns[x.loaded].legacy {
		x.scene.adopted = x.scene.adopted.with(x.loaded)
	}
	if presented != nobody && x.signIns[presented].legacy {
		x.did(x.saving, operation{kind: adopts, target: presented})
	}
	x.did(x.saving, operation{kind: loads, target: presented, found: x.loaded})
	defer func() { x.saving = x.run.Taken() }()
	x.act.do(x, w, x.ctx)
}

// sessionIn returns the session that the data names, if it is signed in.
func (sc *scene) sessionIn(sm *scs.SessionManager, ctx context.Context) sessionNo {
	if sm.GetString(ctx, "userID") == "" {
		return nobody
	}
	if n, ok := sm.Get(ctx, "session").(int); ok {
		return sc.signIns[n].goesOn
	}
	// A log-in of another user in a session that had ended drops what that one had.
	return sessionNo(slices.IndexFunc(notes[:], func(key string) bool { return sm.Exists(ctx, key) }))
}

// becomes puts a session that begins into the data.
func (x *exchange) becomes(ctx context.Context, user string) sessionNo {
	for _, key := range x.sm.Keys(ctx) {
		if strings.HasPrefix(key, "note") {
			x.sm.Remove(ctx, key)
		}
	}
	n := x.begin(user)
	x.sm.Put(ctx, "session", int(n))
	x.sm.Put(ctx, notes[n], true)
	return n
}

// begin begins a session that the request signs in to.
func (x *exchange) begin(user string) sessionNo {
	name := fmt.Sprintf("the %v's session", x.at)
	if x.playing {
		name = "the session that " + x.name + " began"
	}
	n := sessionNo(len(x.signIns))
	x.signIns = append(x.signIns, signIn{name: name, user: user, holders: []browser{x.at}, legacy: x.plain, goesOn: n})
	return n
}

// deliver takes the cookie of the response to the browser, as soon as its
// header is sent.
func (x *exchange) deliver(w *response) {
	cookies := w.cookies()
	if len(cookies) == 0 {
		return
	}
	session := x.sessionIn(x.sm, x.ctx)
	if x.instead.kind == begins && session == x.instead.by {
		session = x.goesOnOrBegins(cookies[len(cookies)-1])
	}
	for _, cookie := range cookies {
		x.issue(cookie, session)
	}
	if w.hijacked || x.lost {
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
	x.used = x.used.without(n)
	_, id, isSession := tokenParts(cookie)
	switch {
	case x.plain && n != nobody:
		x.signIns[n].id = cmp.Or(x.signIns[n].id, x.oldID(cookie))
	case x.byPlainSCS():
	case isSession != (n != nobody):
		x.fail("the cookie of %v is %q", x.named(n), cookie)
	case isSession && slices.ContainsFunc(x.issued, func(c issued) bool {
		return c.session == nobody && strings.HasSuffix(cookie, "."+c.cookie)
	}):
		x.fail("%v has the token of the visitor", x.named(n))
	case isSession && x.signIns[n].id == "":
		x.signIns[n].id = id
	case isSession && x.signIns[n].id != id:
		x.fail("%v has become two", x.named(n))
	}
}

func (x *exchange) must(err error) {
	if err != nil && !(x.faulty && errors.Is(err, errFault)) {
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
