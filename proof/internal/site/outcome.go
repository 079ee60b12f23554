package site

import (
	"context"
	"errors"
	"net/http"

	"github.com/revoke-sessions/revoke/store"
)

// What became of an update: of one that is dropped, the library delivers the
// response all the same.
const (
	Saved = "saved"
	Ended = "ended" // dropped, as the session had ended
	Stale = "stale" // dropped, as the session had a newer token
)

type outcomeKey struct{}

// withOutcome has the store note in the request what becomes of its update.
func withOutcome(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), outcomeKey{}, new(string))))
	})
}

// outcome returns what became of the request's update, once the response has
// begun; empty where it made none.
func outcome(ctx context.Context) string { return *ctx.Value(outcomeKey{}).(*string) }

type noting struct{ store.Store }

func (s noting) Update(ctx context.Context, r store.Record, was store.Hash) error {
	err := s.Store.Update(ctx, r, was)
	if noted, ok := ctx.Value(outcomeKey{}).(*string); ok {
		switch {
		case err == nil:
			*noted = Saved
		case errors.Is(err, store.ErrStale):
			*noted = Stale
		case errors.Is(err, store.ErrRevoked), errors.Is(err, store.ErrNotFound):
			*noted = Ended
		}
	}
	return err
}
