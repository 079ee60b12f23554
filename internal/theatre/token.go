package theatre

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/interleave"
	"github.com/revoke-sessions/revoke/store"
)

// A tokenStage is an application with one client that keeps its token itself. The client
// has a token and the one that was offered after it, which nobody has used yet.
type tokenStage struct {
	stage    *stage
	store    *steppedStore
	spoil    func(store.Store) store.Store // gives the store a defect; may be nil
	sessions *revoke.Manager
	sm       *scs.SessionManager

	token, offered string
	given          []string // tokens that the roles were given
	refused        []string // the roles that were answered with 401
}

// A tokenRole is one request, or the owner of the session on another device.
type tokenRole struct {
	does string
	play func(*tokenStage) (ok bool)
}

var byOwner = tokenRole{"the owner revokes all", func(s *tokenStage) bool {
	_, err := s.sessions.RevokeAll(context.Background(), "ann")
	return err == nil
}}

var byClient = []tokenRole{
	{"uses the token", func(s *tokenStage) bool { return s.request(s.token, nothing) }},
	{"uses the token offered", func(s *tokenStage) bool { return s.request(s.offered, nothing) }},
	{"uses the token offered at once with that", func(s *tokenStage) bool { return s.request(s.offered, nothing) }},
	{"writes by the token offered", func(s *tokenStage) bool {
		return s.request(s.offered, func(ctx context.Context) error { s.sm.Put(ctx, "cart", "book"); return nil })
	}},
	{"exchanges the token", func(s *tokenStage) bool {
		return s.request(s.token, func(ctx context.Context) error { return s.give(s.sessions.Rotate(ctx)) })
	}},
	{"exchanges the token offered", func(s *tokenStage) bool {
		return s.request(s.offered, func(ctx context.Context) error { return s.give(s.sessions.Rotate(ctx)) })
	}},
	{"refreshes the token offered", func(s *tokenStage) bool {
		_, next, err := s.sessions.Refresh(httptest.NewRequest("POST", "/", nil), s.offered)
		return s.give(next, err) == nil
	}},
	{"issues another token", func(s *tokenStage) bool {
		return s.request(s.token, func(ctx context.Context) error { return s.give(s.sessions.Issue(ctx, "ann")) })
	}},
}

func nothing(context.Context) error { return nil }

func (s *tokenStage) give(token string, err error) error {
	if err == nil {
		s.given = append(s.given, token)
	}
	return err
}

// request sends a request, and reports whether it was let in.
func (s *tokenStage) request(token string, act func(context.Context) error) (ok bool) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.sessions.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := act(r.Context()); err != nil {
			revoke.ProblemOf(err).Write(w)
		}
	})).ServeHTTP(w, r)
	return w.Code == http.StatusOK
}

// play returns the program in which the roles are played at once.
func (s *tokenStage) play(roles ...tokenRole) interleave.Program {
	return func(run *interleave.Run) func() error {
		s.stage.run = new(interleave.Run) // up to here nothing is a step
		s.store.Store = store.NewMemory()
		if s.spoil != nil {
			s.store.Store = s.spoil(s.store.Store)
		}
		s.given, s.refused = nil, nil
		var err error
		if s.token, err = s.sessions.Issue(context.Background(), "ann"); err != nil {
			return func() error { return err }
		}
		_, s.offered, err = s.sessions.Refresh(httptest.NewRequest("POST", "/", nil), s.token)
		s.stage.run = run
		for _, role := range roles {
			run.Go(role.does, func() {
				if !role.play(s) {
					s.refused = append(s.refused, role.does)
				}
			})
		}
		return func() error { return errors.Join(err, s.check(roles)) }
	}
}

// check returns what should not have become of the session.
func (s *tokenStage) check(roles []tokenRole) error {
	list, err := s.sessions.List(context.Background(), "ann")
	if err != nil {
		return err
	}
	revoked := roles[0].does == byOwner.does
	tokens := append([]string{s.token, s.offered}, s.given...)
	isOver := slices.ContainsFunc(roles, func(r tokenRole) bool {
		return r.does != byOwner.does && byOffered(r.does) && !slices.Contains(s.refused, r.does)
	})
	open := 0
	for i, token := range tokens {
		if s.request(token, nothing) {
			if open++; i == 0 && isOver {
				return errors.New("the token is good though the next one was used")
			}
		}
	}
	switch {
	case revoked && (open > 0 || len(list) > 0):
		return fmt.Errorf("%d tokens of %d are good after the revocation was answered, %d sessions are left", open, len(tokens), len(list))
	case revoked:
		return nil
	case open == 0 || len(list) == 0:
		return errors.New("the client is signed out")
	}
	for _, does := range s.refused {
		if byOffered(does) {
			return fmt.Errorf("%q was refused", does)
		}
	}
	return nil
}

// byOffered reports whether a role uses the newest token, which is always good.
func byOffered(does string) bool {
	for _, old := range []string{"uses the token", "exchanges the token", "issues another token"} {
		if does == old {
			return false
		}
	}
	return true
}

func newTokenStage() *tokenStage {
	sm := scs.New()
	sm.Store = memstore.NewWithCleanupInterval(0)
	s := &tokenStage{stage: new(stage), sm: sm}
	s.store = &steppedStore{stage: s.stage}
	s.sessions = revoke.New(sm, s.store)
	s.sessions.Bearer, s.sessions.Limiter = true, nil
	s.sessions.Logger = slog.New(slog.DiscardHandler)
	return s
}

// eachTokenCast calls f with any two requests of a client, alone and beside the owner who revokes.
func eachTokenCast(f func(cast []tokenRole)) {
	for i, first := range byClient {
		for _, second := range byClient[i+1:] {
			f([]tokenRole{first, second})
			f([]tokenRole{byOwner, first, second})
		}
	}
}

// EveryOfTokens runs all casts in every order in which the calls of the store can be made.
func EveryOfTokens(t *testing.T) {
	s, orders := newTokenStage(), 0
	eachTokenCast(func(cast []tokenRole) {
		result := interleave.All(s.play(cast...))
		if orders += result.Orders; result.Failure != nil {
			t.Errorf("%d of %d orders fail:\n%v", result.Failed, result.Orders, result.Failure)
		}
	})
	t.Logf("%d orders", orders)
	if orders < 1000 {
		t.Errorf("%d orders are too few", orders)
	}
}

// FindDefectsOfTokens shows that the store must have none of these.
func FindDefectsOfTokens(t *testing.T) {
	for name, spoil := range map[string]func(store.Store) store.Store{
		"Update creates":                 func(st store.Store) store.Store { return &recreatingStore{st} },
		"Update does not note a new one": func(st store.Store) store.Store { return unnotingStore{st} },
	} {
		s, orders := newTokenStage(), 0
		s.spoil = spoil
		var failure *interleave.Failure
		eachTokenCast(func(cast []tokenRole) {
			if failure != nil {
				return
			}
			result := interleave.All(s.play(cast...))
			orders, failure = orders+result.Orders, result.Failure
		})
		if failure == nil {
			t.Errorf("%s: not found in %d orders", name, orders)
		} else {
			t.Logf("%s: found in %d orders:\n%v", name, orders, failure)
		}
	}
}

type recreatingStore struct{ store.Store }

func (s *recreatingStore) Update(ctx context.Context, r store.Record, was store.Hash) error {
	err := s.Store.Update(ctx, r, was)
	if errors.Is(err, store.ErrRevoked) {
		s.Store = store.NewMemory()
		_, err = s.Store.Create(ctx, r, store.Limit{})
	}
	return err
}

type unnotingStore struct{ store.Store }

func (s unnotingStore) Update(ctx context.Context, r store.Record, was store.Hash) error {
	if r.Secret == was {
		return s.Store.Update(ctx, r, was)
	}
	_, err := s.Store.Find(ctx, r.User, r.ID)
	return err
}
