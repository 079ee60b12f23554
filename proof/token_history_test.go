package proof_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/revoke-sessions/revoke/proof/internal/site"
)

// A tokenHistory is what the apps of one user have asked and been told.
type tokenHistory struct {
	user    string
	servers []string
	client  *site.Client
	leased  bool // a service asks whether sessions are live
	alarms  bool // the use of an old token ends its session

	start time.Time

	mu         sync.Mutex
	operations []tokenOperation
	questions  []question
	apps       []*app
	named      map[string]int // session numbers by id
	lanes      int
	unknown    int
	wrong      []string
}

type tokenOperation struct {
	lane       int
	input      tokenInput
	output     tokenOutput
	ids        []string // that were revoked
	call, back int64
}

// An app holds all tokens of a session, the first being zero, up to the one on offer.
type app struct {
	id     string // empty until it is learnt
	tokens []string
}

const requestsOfApp = 25

// run has the user's apps make their requests at the same time, and then uses every token
// once more, the newest first.
func (h *tokenHistory) run() {
	var wg sync.WaitGroup
	for range clientsPerUser {
		lane := h.newLane()
		wg.Go(func() {
			for range requestsOfApp {
				if h.enough() {
					return
				}
				if !h.act(lane) {
					lane = h.newLane() // the operation may still be under way
				}
			}
		})
	}
	wg.Wait()
	lane := h.newLane()
	for number, a := range h.apps {
		for token := len(a.tokens) - 1; token >= 0; token-- {
			h.request(lane, tokenInput{deed: present, actor: number, token: token}, site.Get("/me"))
		}
		if h.leased && len(a.tokens) > 0 {
			h.ask(lane, number)
		}
	}
}

func (h *tokenHistory) enough() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unknown >= maxUnknown
}

func (h *tokenHistory) newLane() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lanes += 2 // the other is for the token that a request begins with
	return h.lanes - 2
}

// act makes a request, mostly with a session of the last few, and reports whether there
// was an answer.
func (h *tokenHistory) act(lane int) bool {
	h.mu.Lock()
	n := len(h.apps)
	var able []int
	for number := max(0, n-5); number < n; number++ {
		if len(h.apps[number].tokens) > 0 {
			able = append(able, number)
		}
	}
	dice := rand.IntN(100)
	if n < maxSessions && (len(able) == 0 || dice < 16) {
		h.apps = append(h.apps, new(app))
		h.mu.Unlock()
		return h.request(lane, tokenInput{deed: issue, actor: n}, site.Post("/issue?user="+h.user))
	}
	in := tokenInput{actor: able[rand.IntN(len(able))]}
	if in.token = len(h.apps[in.actor].tokens) - 1; rand.IntN(4) == 0 {
		in.token = rand.IntN(in.token + 1)
	}
	target := max(0, n-1-rand.IntN(5))
	id := h.apps[target].id
	h.mu.Unlock()
	switch {
	case h.leased && dice < 55:
		return h.ask(lane, in.actor)
	case dice < 40:
		in.deed = present
		return h.request(lane, in, site.Get("/me?delay="+strconv.Itoa(rand.IntN(1500))))
	case dice < 60:
		in.deed = present
		return h.request(lane, in, site.Post("/rotate?delay="+strconv.Itoa(rand.IntN(1500))))
	case dice < 74:
		in.deed, in.inBody = present, true
		return h.request(lane, in, site.Post("/refresh"))
	case dice < 80:
		in.deed = listAll
		return h.request(lane, in, site.List())
	case dice < 93 && id != "":
		in.deed, in.target = endOne, target
		if h.leased {
			return h.endTwice(lane, in, site.Revoke(id))
		}
		return h.request(lane, in, site.Revoke(id))
	case dice < 96:
		in.deed = endOthers
		return h.request(lane, in, site.RevokeOthers())
	case dice < 98:
		in.deed = endAll
		return h.request(lane, in, site.Post("/revoke-all"))
	}
	return h.request(lane, tokenInput{deed: endAll, actor: -1}, site.Post("/reset?user="+h.user))
}

func (h *tokenHistory) now() int64 { return time.Since(h.start).Nanoseconds() }

// endTwice revokes a session that is remembered, and then once more, while the first answer is
// waited for.
func (h *tokenHistory) endTwice(lane int, in tokenInput, r site.Request) bool {
	h.ask(lane, in.target)
	first := h.newLane()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { h.request(first, in, r) })
	time.Sleep(lease / 10)
	return h.request(lane, in, r) && h.ask(lane, in.target)
}

// ask asks each process whether a session is live.
func (h *tokenHistory) ask(lane, session int) bool {
	h.mu.Lock()
	tokens := h.apps[session].tokens
	h.mu.Unlock()
	if len(tokens) == 0 {
		return true // nobody knows its name
	}
	sid := site.SessionOf(tokens[0])
	for process, server := range h.servers {
		q := question{session: session, process: process, lane: lane, call: h.now()}
		a := h.client.Do(context.Background(), site.Get("/live?session="+sid).To(server))
		if q.back = h.now(); a.Unknown() {
			continue
		}
		q.yes = a.Status == 200
		h.mu.Lock()
		h.questions = append(h.questions, q)
		h.mu.Unlock()
	}
	return true
}

// request makes a request, notes what came of it, and reports whether there was an answer.
func (h *tokenHistory) request(lane int, in tokenInput, r site.Request) bool {
	agent := fmt.Sprintf("%s/%d", h.user, in.actor) // by which lists know the session
	token := ""
	if in.deed != issue && in.actor >= 0 {
		h.mu.Lock()
		token = h.apps[in.actor].tokens[in.token]
		h.mu.Unlock()
	}
	if in.inBody {
		r.Path, token = r.Path+"?token="+token, ""
	}
	op := tokenOperation{lane: lane, input: in, call: h.now()}
	a := h.client.Do(context.Background(), r.To(h.servers[rand.IntN(len(h.servers))]).By(agent, token))
	op.back = h.now()

	h.mu.Lock()
	defer h.mu.Unlock()
	op.ids, op.output = a.Revoked, h.understand(in, a)
	answered := op.output.answer != unknown
	if !answered {
		op.back = math.MaxInt64
		h.unknown++
	}
	h.operations = append(h.operations, op)
	refused := op.output.answer == told || op.output.answer == nobody
	if in.actor >= 0 && (in.deed >= listAll || in.inBody && refused) {
		// The token was presented in a step before; if the answer refuses, that may have opened the session.
		op.lane, op.ids, op.input.deed, op.output = lane+1, nil, present, tokenOutput{answer: done}
		switch {
		case !answered:
			op.output.answer = unknown
		case refused:
			op.input.deed, op.output.answer = accept, unknown
		}
		h.operations = append(h.operations, op)
	}
	return answered
}

// understand says in the model's words what was answered, and learns from it.
func (h *tokenHistory) understand(in tokenInput, a site.Answer) (out tokenOutput) {
	switch {
	case a.Unknown():
		return tokenOutput{answer: unknown}
	case a.Status == 401 && a.Code == "session_revoked" && endedBy[a.Reason] != 0:
		return tokenOutput{answer: told, why: endedBy[a.Reason]}
	case a.Status == 401 && a.Code == "unauthenticated":
		return tokenOutput{answer: nobody}
	case a.Status == 404 && a.Code == "session_not_found" && in.deed == endOne:
		return tokenOutput{answer: notFound}
	case a.Status != 200:
		h.note("%v by %d: answered %d %q %q", in.deed, in.actor, a.Status, a.Code, a.Reason)
		return tokenOutput{answer: unknown}
	}
	out.answer = done
	switch {
	case in.deed == issue:
		h.learn(site.ID(a.Token), in.actor)
		h.offered(in.actor, 0, a.Token)
	case a.Token != "" && !h.alarms && a.Token == h.apps[in.actor].tokens[in.token]: // it is young, and stays
	case a.Token != "":
		h.offered(in.actor, in.token+1, a.Token)
	case a.User != "" && a.User != h.user:
		h.note("session %d of %s opened one of %q", in.actor, h.user, a.User)
	}
	for _, listed := range a.Sessions {
		number, err := strconv.Atoi(strings.TrimPrefix(listed.UserAgent, h.user+"/"))
		if err != nil || number >= len(h.apps) || out.sessions.has(number) || listed.Current != (number == in.actor) {
			h.note("a list for %s has a session of %q, or has it twice, or as current by mistake", h.user, listed.UserAgent)
			continue
		}
		out.sessions |= 1 << number
		h.learn(listed.ID, number)
	}
	return out
}

// offered notes a token, which must be the same each time that it is offered.
func (h *tokenHistory) offered(session, number int, token string) {
	a := h.apps[session]
	switch {
	case number == len(a.tokens):
		a.tokens = append(a.tokens, token)
	case number > len(a.tokens) || a.tokens[number] != token:
		h.note("session %d was offered two tokens as its number %d", session, number)
	}
}

// learn notes a session's id, which must stay the same and be its own.
func (h *tokenHistory) learn(id string, session int) {
	a := h.apps[session]
	if number, known := h.named[id]; known && number != session || a.id != "" && a.id != id || id == "" {
		h.note("session %d has the ids %q and %q", session, a.id, id)
	}
	a.id, h.named[id] = id, session
}

func (h *tokenHistory) note(format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

// check looks for an order in which the model would have answered the same.
func (h *tokenHistory) check(limit time.Duration) (porcupine.CheckResult, porcupine.LinearizationInfo) {
	var nameless set
	for number, a := range h.apps {
		if a.id == "" {
			nameless |= 1 << number
		}
	}
	operations := make([]porcupine.Operation, len(h.operations))
	for i := range h.operations {
		op := &h.operations[i]
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
	return porcupine.CheckOperationsVerbose(tokenModel(h.alarms), operations, limit)
}
