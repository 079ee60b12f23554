package theatre

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
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
	plain    *node                                 // of plain scs, over the same visitors' store
	fresh    func() store.Store                    // returns an empty store
	spoil    func(*scene, store.Store) store.Store // gives the store a defect; may be nil
	store    steppedStore
	visitors steppedVisitors
	scene    *scene          // that is played
	run      *interleave.Run // likewise

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
	forgets       bool // the store forgets tombstones at once
}

// A node of plain scs.
type node struct {
	sm      *scs.SessionManager
	handler http.Handler
}

// A browser holds one cookie. Each is named for the place where it stands.
type browser int

const (
	laptop browser = iota // ann is signed in
	phone                 // ann is signed in
	desk                  // bob is signed in
	kiosk                 // a visitor has a cart
	tablet                // nobody was here yet
	attic                 // ann is signed in since before revoke came
	browsers
)

func (b browser) String() string {
	return [...]string{"laptop", "phone", "desk", "kiosk", "tablet", "attic"}[b]
}

const ann, bob = "ann", "bob"

// newStage returns an application over revoke.
func newStage(t *testing.T, how setting, fresh func() store.Store, spoil func(*scene, store.Store) store.Store) *stage {
	s := newEmptyStage(how)
	s.fresh, s.spoil = fresh, spoil
	s.sessions = revoke.New(s.sm, &s.store)
	s.sessions.TouchInterval, s.sessions.MaxPerUser, s.sessions.Limiter = how.touchInterval, how.maxPerUser, nil
	s.sessions.Logger = slog.New(slog.DiscardHandler)
	if how.authorize {
		s.sessions.Authorize = func(context.Context, revoke.Action) error { return nil }
	}
	s.handler = s.sessions.Track(http.HandlerFunc(serveExchange))
	s.plain = &node{sm: newSessionManager(how)}
	s.plain.sm.Store = &s.visitors
	s.plain.handler = s.plain.sm.LoadAndSave(http.HandlerFunc(serveExchange))
	s.open(t)
	return s
}

func inMemory() store.Store { return store.NewMemory() }

// newPlainStage returns the same application over plain scs.
func newPlainStage(t *testing.T, how setting) *stage {
	s := newEmptyStage(how)
	s.fresh = inMemory
	s.handler = s.sm.LoadAndSave(http.HandlerFunc(serveExchange))
	s.open(t)
	return s
}

func newEmptyStage(how setting) *stage {
	s := &stage{setting: how, sm: newSessionManager(how), run: new(interleave.Run)}
	s.store.stage, s.visitors.stage = s, s
	s.sm.Store = &s.visitors
	return s
}

func newSessionManager(how setting) *scs.SessionManager {
	sm := scs.New()
	sm.IdleTimeout, sm.HashTokenInStore = how.idleTimeout, how.hashed
	return sm
}

// open signs everybody in, and keeps what is then stored.
func (s *stage) open(t *testing.T) {
	sessions, visitors := s.fresh(), memstore.NewWithCleanupInterval(0)
	s.store.Store, s.visitors.MemStore = sessions, visitors

	opening := &scene{stage: s}
	opening.send("the opening", attic, toSignInAs(ann), s.plain != nil)
	for _, at := range []browser{laptop, phone} {
		opening.send("the opening", at, toSignInAs(ann), false)
	}
	opening.send("the opening", desk, toSignInAs(bob), false)
	opening.send("the opening", kiosk, toWrite, false)
	s.opening = *opening
	s.opening.operations = nil
	for _, c := range opening.issued {
		if user, id, ok := tokenParts(c.cookie); ok {
			r, err := sessions.Find(context.Background(), user, id)
			opening.wrong = errors.Join(opening.wrong, err)
			s.records = append(s.records, r)
		}
	}
	visits, err := visitors.All()
	s.visits = maps.Clone(visits)
	if err := errors.Join(opening.wrong, err); err != nil {
		t.Fatal(err)
	}
}

// play returns the program in which all roles of a cast are played at once.
func (s *stage) play(cast []role) interleave.Program {
	return func(r *interleave.Run) func() error {
		sessions, visitors := s.fresh(), memstore.NewWithCleanupInterval(0)
		for _, record := range s.records {
			if _, err := sessions.Create(context.Background(), record, store.Limit{}); err != nil {
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
		s.scene, s.run, s.store.Store, s.visitors.MemStore = sc, r, sessions, visitors
		if s.setting.forgets {
			s.store.Store = newForgetfulStore(sessions)
		}
		s.store.Store = &everyoneInTwoSteps{Store: s.store.Store, sc: sc}
		if s.spoil != nil {
			s.store.Store = s.spoil(sc, s.store.Store)
		}
		for _, p := range cast {
			p.play(sc)
		}
		return sc.check
	}
}
