package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/interleave"
	"github.com/revoke-sessions/revoke/store"
)

// A stage is an application under test, over revoke or over plain scs, of which
// each call of a store is a step. On it scene follows scene, and all begin with
// the same sessions.
type stage struct {
	setting  setting
	sm       *scs.SessionManager
	sessions *revoke.Manager // nil over plain scs
	handler  http.Handler
	spoil    func(*scene, store.Store) store.Store // seeds a defect; may be nil
	store    steppedStore
	visitors steppedVisitors
	run      *interleave.Run // of the scene that is played

	opening scene
	records []store.Record    // of the opening, as stored
	visits  map[string][]byte // likewise
}

// A setting is how the application is configured.
type setting struct {
	name          string
	touchInterval time.Duration
	idleTimeout   time.Duration
	hashed        bool // HashTokenInStore
	maxPerUser    int
	authorize     bool // Authorize is asked, and lets through
	arrivals      bool // responses need not arrive in the order in which they were sent
}

// A place is where there is a browser with its cookie.
type place int

const (
	laptop place = iota // ann is signed in
	phone               // ann is signed in
	desk                // bob is signed in
	kiosk               // a visitor has a cart
	tablet              // nobody was here yet
	attic               // ann is signed in since before revoke came
	places
)

func (p place) String() string {
	return [...]string{"laptop", "phone", "desk", "kiosk", "tablet", "attic"}[p]
}

const ann, bob = "ann", "bob"

// A scene is one execution of a program.
type scene struct {
	*stage
	playing  bool           // it is not the opening
	jars     [places]string // the cookies that the browsers hold
	setBy    [places]setBy
	signIns  []signIn
	issued   []issued
	renewals []renewal
	actions  []action
	requests int
	wrong    error // what cannot be right, whatever the order of the actions
}

// A sessionNo is a session of a scene, by its place among the sign-ins.
type sessionNo int

const nobody sessionNo = -1

// A signIn is how a session began.
type signIn struct {
	name    string
	user    string
	id      string  // the public id, once it is known
	holders []place // whose browsers may hold its cookie
	legacy  bool    // from before revoke came
}

// An issued value of the cookie is one that was given to a browser, or would
// have been. It is of a session or of nobody.
type issued struct {
	cookie  string
	session sessionNo
	step    int // in which it was
}

// A renewal may have made older cookies of a session stale from a step on.
type renewal struct {
	session sessionNo
	step    int
}

// newStage returns an application over revoke.
func newStage(t *testing.T, how setting, spoil func(*scene, store.Store) store.Store) *stage {
	s := newEmptyStage(how)
	s.spoil = spoil
	s.sessions = revoke.New(s.sm, &s.store)
	s.sessions.TouchInterval, s.sessions.MaxPerUser, s.sessions.Limiter = how.touchInterval, how.maxPerUser, nil
	if how.authorize {
		s.sessions.Authorize = func(context.Context, revoke.Action) error { return nil }
	}
	s.handler = s.sessions.Track(http.HandlerFunc(serveExchange))
	s.open(t)
	return s
}

// newPlainStage returns the same application over plain scs.
func newPlainStage(t *testing.T, how setting) *stage {
	s := newEmptyStage(how)
	s.handler = s.sm.LoadAndSave(http.HandlerFunc(serveExchange))
	s.open(t)
	return s
}

func newEmptyStage(how setting) *stage {
	s := &stage{setting: how, sm: scs.New(), run: new(interleave.Run)}
	s.store.stage, s.visitors.stage = s, s
	s.sm.Store = &s.visitors
	s.sm.IdleTimeout, s.sm.HashTokenInStore = how.idleTimeout, how.hashed
	return s
}

// open signs everybody in, and keeps what is then stored.
func (s *stage) open(t *testing.T) {
	memory, visitors := store.NewMemory(), memstore.NewWithCleanupInterval(0)
	s.store.Store, s.visitors.MemStore = memory, visitors

	before := newEmptyStage(s.setting)
	before.sm.Store, before.sm.Codec = visitors, s.sm.Codec
	before.handler = before.sm.LoadAndSave(http.HandlerFunc(serveExchange))
	opening := &scene{stage: before}
	opening.send("the opening", attic, toSignInAs(ann))
	opening.signIns[opening.issued[0].session].legacy = s.sessions != nil

	opening.stage = s
	for _, at := range []place{laptop, phone} {
		opening.send("the opening", at, toSignInAs(ann))
	}
	opening.send("the opening", desk, toSignInAs(bob))
	opening.send("the opening", kiosk, toWrite)
	s.opening = *opening
	for _, c := range opening.issued {
		if user, id, ok := tokenParts(c.cookie); ok {
			r, err := memory.Find(context.Background(), user, id)
			opening.wrong = errors.Join(opening.wrong, err)
			s.records = append(s.records, r)
		}
	}
	visits, err := visitors.All()
	s.visits = maps.Clone(visits)
	opening.send("the opening", attic, toRead) // for the id of the session that it adopts
	if err := errors.Join(opening.wrong, err); err != nil {
		t.Fatal(err)
	}
}

// play returns the program in which the parts of a cast are played at once.
func (s *stage) play(cast []part) interleave.Program {
	return func(r *interleave.Run) func() error {
		memory, visitors := store.NewMemory(), memstore.NewWithCleanupInterval(0)
		for _, record := range s.records {
			if _, err := memory.Create(context.Background(), record, store.Limit{}); err != nil {
				panic(err)
			}
		}
		for key, data := range s.visits {
			visitors.Commit(key, data, time.Now().Add(time.Hour))
		}
		sc := &scene{
			stage: s, playing: true, jars: s.opening.jars,
			signIns: slices.Clone(s.opening.signIns), issued: slices.Clone(s.opening.issued),
		}
		s.run, s.store.Store, s.visitors.MemStore = r, memory, visitors
		if s.spoil != nil {
			s.store.Store = s.spoil(sc, memory)
		}
		for _, p := range cast {
			p.play(sc)
		}
		return sc.check
	}
}

// A part is what one of those who act at once does.
type part struct {
	does string
	play func(*scene)
}

// in is the part of a browser that sends one request after the other, the first
// of them before anything else has happened.
func in(at place, kinds ...kind) part {
	var does []string
	for _, k := range kinds {
		does = append(does, k.does)
	}
	return part{fmt.Sprintf("the %v %s", at, strings.Join(does, " and then ")), func(sc *scene) {
		name := fmt.Sprintf("request %c", 'A'+sc.requests)
		if at != laptop {
			name = fmt.Sprintf("the %v's %s", at, name)
		}
		sc.requests++
		sc.run.Go(name, func() {
			for i, k := range kinds {
				if i > 0 {
					sc.run.Step("is followed by one that " + k.does)
				}
				sc.send(name, at, k)
			}
		})
	}}
}

// owner is the part of somebody who is in no request, once.
func owner(k kind) part {
	return part{"the owner " + k.does, func(sc *scene) {
		x := &exchange{scene: sc, name: "the owner", kind: k, loaded: nobody}
		sc.run.Go(x.name, func() { k.act(x, nil, x.in(context.Background())) })
	}}
}

// sessionOf returns the session of a cookie.
func (sc *scene) sessionOf(cookie string) sessionNo {
	for _, c := range sc.issued {
		if c.cookie == cookie {
			return c.session
		}
	}
	return nobody
}

// firstOf returns the session that was at a place when the scene began.
func (sc *scene) firstOf(at place) sessionNo { return sc.sessionOf(sc.opening.jars[at]) }

// uses reports whether a place takes part in the scene.
func (sc *scene) uses(at place) bool {
	return slices.ContainsFunc(sc.actions, func(a action) bool { return a.kind == loads && a.target == sc.firstOf(at) })
}

func (sc *scene) named(n sessionNo) string {
	if n == nobody {
		return "nobody"
	}
	return sc.signIns[n].name
}

// tokenParts returns what the token of a session tells.
func tokenParts(token string) (user, id string, ok bool) {
	p := strings.Split(token, ".")
	if len(p) != 3 {
		return "", "", false
	}
	return p[0], p[1], true
}
