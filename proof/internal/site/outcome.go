package site

import (
	"context"
	"errors"
	"net/http"

	"github.com/revoke-sessions/revoke/store"
)

// What became of the session's update, or of the note that it was used. If it was
// dropped, the library delivers the response all the same.
const (
	Saved  = "saved"
	Ended  = "ended" // dropped, as the session had ended
	Stale  = "stale" // dropped, as the session had a newer token
	Failed = "failed"
)

// outcomeHeader is the field of the response that says so; without it there was none.
const outcomeHeader = "Outcome"

type outcomeKey struct{}

// withOutcome has the store note in the request what becomes of its update, and says it
// in the response, which begins after that.
func withOutcome(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &telling{ResponseWriter: w}
		next.ServeHTTP(t, r.WithContext(context.WithValue(r.Context(), outcomeKey{}, &t.outcome)))
	})
}

type telling struct {
	http.ResponseWriter
	outcome string
	begun   bool
}

func (w *telling) WriteHeader(status int) {
	if !w.begun && w.outcome != "" {
		w.Header().Set(outcomeHeader, w.outcome)
	}
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *telling) Write(b []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

type noting struct{ store.Store }

func (s noting) Update(ctx context.Context, r store.Record, was store.Hash) error {
	return note(ctx, s.Store.Update(ctx, r, was))
}

func (s noting) Touch(ctx context.Context, user, id string, t store.Touch) error {
	return note(ctx, s.Store.Touch(ctx, user, id, t))
}

func note(ctx context.Context, err error) error {
	outcome, ok := ctx.Value(outcomeKey{}).(*string)
	switch {
	case !ok:
	case err == nil:
		*outcome = Saved
	case errors.Is(err, store.ErrStale):
		*outcome = Stale
	case errors.Is(err, store.ErrRevoked), errors.Is(err, store.ErrNotFound):
		*outcome = Ended
	default:
		*outcome = Failed
	}
	return err
}
