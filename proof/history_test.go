package proof_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/revoke-sessions/revoke/proof/internal/site"
)

// The size of one user's history: long enough for anything to happen, and short
// enough for all its orders to be tried.
const (
	clientsPerUser   = 4
	requestsOfClient = 22
	maxUnknown       = 6 // each may have had its effect at any time since
)

// A history is what the clients of one user have asked and been told.
type history struct {
	user    string
	servers []string
	client  *site.Client
	hangUp  bool // clients hang up now and then

	start time.Time

	mu         sync.Mutex
	operations []operation
	browsers   []*browser     // by session number
	named      map[string]int // session numbers by id
	tokens     int            // the last number that was given out
	unknown    int
	lanes      int // client ids for the picture
	wrong      []string
}

// An operation is one that is to be checked when all names are known.
type operation struct {
	lane       int
	input      input
	output     output
	ids        []string // that were revoked
	call, back int64
}

// A browser holds all tokens that a session ever had.
type browser struct {
	number int
	old    bool   // the sign-in was without revoke
	id     string // empty until it is learnt
	tokens []token
}

type token struct {
	number int
	cookie string
}

func newHistory(user string, servers []string, client *site.Client, hangUp bool) *history {
	return &history{user: user, servers: servers, client: client, hangUp: hangUp, start: time.Now(), named: make(map[string]int)}
}

// run has the user's clients make their requests at the same time, and then uses
// every token once more.
func (h *history) run() {
	var wg sync.WaitGroup
	for range clientsPerUser {
		lane := h.newLane()
		wg.Go(func() {
			for range requestsOfClient {
				if h.enough() {
					return
				}
				if !h.request(lane, h.choose()) {
					lane = h.newLane() // the operation may still be under way
				}
			}
		})
	}
	wg.Wait()
	lane := h.newLane()
	for _, b := range h.browsers {
		for _, t := range b.tokens {
			h.request(lane, input{kind: use, actor: b.number, token: t.number})
			h.request(lane, input{kind: list, actor: b.number, token: t.number})
		}
	}
}

func (h *history) newLane() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lanes += 4 // the others are for the steps that a request begins and ends with
	return h.lanes - 4
}

func (h *history) enough() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unknown >= maxUnknown
}

// choose picks what a client does next, mostly with a session of the last few.
func (h *history) choose() input {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.browsers)
	var able []*browser
	for _, b := range h.browsers[max(0, n-6):] {
		if len(b.tokens) > 0 {
			able = append(able, b)
		}
	}
	dice := rand.IntN(100)
	if n < maxSessions && (len(able) == 0 || dice < 20) {
		if dice%3 == 0 {
			return input{kind: oldSignIn, actor: -1}
		}
		return input{kind: signIn, actor: -1}
	}
	if dice > 97 {
		return input{kind: revokeAll, actor: -1} // a password reset
	}
	b := able[rand.IntN(len(able))]
	t := b.tokens[len(b.tokens)-1]
	if rand.IntN(8) == 0 {
		t = b.tokens[rand.IntN(len(b.tokens))]
	}
	in := input{actor: b.number, token: t.number}
	switch {
	case dice < 47:
		in.kind = use
	case dice < 57:
		in.kind = renew
	case dice < 64:
		in.kind = prove
	case dice < 78:
		in.kind = list
	case dice < 89:
		in.kind = use
		if target := h.browsers[max(0, n-1-rand.IntN(6))]; target.id != "" {
			in.kind, in.target = revokeOne, target.number
		}
	case dice < 94:
		in.kind = revokeOthers
	default:
		in.kind = revokeAll
	}
	return in
}

// prepare gives the names to what an operation brings into being, and returns
// the request that stands for it.
func (h *history) prepare(in *input) site.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	if in.kind == signIn || in.kind == oldSignIn {
		in.actor = len(h.browsers)
		h.browsers = append(h.browsers, &browser{number: in.actor, old: in.kind == oldSignIn})
	}
	switch in.kind {
	case signIn, oldSignIn, renew, prove:
		h.tokens++
		in.fresh = h.tokens
	}
	var agent, cookie string
	if in.actor >= 0 {
		agent = h.agent(in.actor)
		for _, t := range h.browsers[in.actor].tokens {
			if t.number == in.token {
				cookie = t.cookie
			}
		}
	}
	delay := "?delay=" + strconv.Itoa(rand.IntN(1500))
	var r site.Request
	switch in.kind {
	case signIn:
		r = site.Post("/login?user=" + h.user)
	case oldSignIn:
		r = site.Post("/plain/login?user=" + h.user)
	case use:
		r = site.Get("/me" + delay)
	case renew:
		r = site.Post("/renew" + delay)
	case prove:
		r = site.Post("/prove" + delay)
	case list:
		r = site.List()
	case revokeOne:
		r = site.Revoke(h.browsers[in.target].id)
	case revokeOthers:
		r = site.RevokeOthers()
	case revokeAll:
		r = site.Post("/reset?user=" + h.user)
		if in.actor >= 0 {
			r = site.Post("/revoke-all")
		}
	}
	return r.To(h.servers[rand.IntN(len(h.servers))]).As(agent, cookie)
}

// agent is the user agent by which lists know a session, even one whose sign-in
// was never answered.
func (h *history) agent(session int) string { return h.user + "/" + strconv.Itoa(session) }

// request makes a request, notes what came of it, and reports whether there was
// an answer.
func (h *history) request(lane int, in input) bool {
	r := h.prepare(&in)
	ctx := context.Background()
	if h.hangUp && rand.IntN(40) == 0 {
		limit, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(3000))*time.Microsecond)
		defer cancel()
		ctx = limit
	}
	op := operation{lane: lane, call: time.Since(h.start).Nanoseconds()}
	a := h.client.Do(ctx, r)
	op.back = time.Since(h.start).Nanoseconds()

	h.mu.Lock()
	defer h.mu.Unlock()
	op.input, op.ids = in, a.Revoked
	op.output = h.understand(in, a)
	answered := op.output.answer != unknown
	if h.isOld(in) {
		h.alsoDoes(op, adopt, lane+1, answered)
	}
	if h.isRenewed(in) && (a.Update != "" || !answered) {
		h.alsoDoes(op, noteUse, lane+2, answered && a.Update != site.Failed)
	}
	if !answered {
		if in.kind == use || in.kind == list {
			return false // it has done nothing else, and says nothing
		}
		h.unknown++
		op.back = math.MaxInt64
	}
	h.operations = append(h.operations, op)
	looksUp := in.kind == renew || in.kind == prove || in.kind >= list && in.actor >= 0
	if looksUp && answered && op.output.answer != told && op.output.answer != nobody {
		h.alsoDoes(op, use, lane+3, true)
	}
	return answered
}

// alsoDoes notes a step of a request besides what it asks for. If it is not certain, it
// may have its effect at any time since, or none.
func (h *history) alsoDoes(op operation, does kind, lane int, certain bool) {
	op.lane, op.ids = lane, nil
	op.input = input{kind: does, actor: op.input.actor, token: op.input.token}
	op.output = output{answer: done}
	if !certain {
		op.output.answer, op.back = unknown, math.MaxInt64
		h.unknown++
	}
	h.operations = append(h.operations, op)
}

// isOld reports whether a request comes with the cookie of a sign-in without revoke.
func (h *history) isOld(in input) bool {
	if in.actor < 0 {
		return false
	}
	b := h.browsers[in.actor]
	return b.old && len(b.tokens) > 0 && b.tokens[0].number == in.token
}

// isRenewed reports whether a request comes with a token that a renewal has issued.
func (h *history) isRenewed(in input) bool {
	if in.actor < 0 {
		return false
	}
	b := h.browsers[in.actor]
	return len(b.tokens) > 1 && b.tokens[0].number != in.token && in.token != 0
}

// check looks for an order in which the model would have answered the same.
func (h *history) check(limit time.Duration) (porcupine.CheckResult, porcupine.LinearizationInfo) {
	var nameless set
	for _, b := range h.browsers {
		if b.id == "" {
			nameless |= 1 << b.number
		}
	}
	operations := make([]porcupine.Operation, len(h.operations))
	for i, op := range h.operations {
		op.input.nameless = nameless
		for _, id := range op.ids {
			if number, known := h.named[id]; known {
				op.output.sessions |= 1 << number
			} else {
				op.output.others++
			}
		}
		operations[i] = porcupine.Operation{ClientId: op.lane, Input: op.input, Call: op.call, Output: op.output, Return: op.back}
	}
	return porcupine.CheckOperationsVerbose(sessionsModel, operations, limit)
}
