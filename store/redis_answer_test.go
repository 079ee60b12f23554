package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

func TestRedisKeyOfAnotherKind(t *testing.T) {
	server := redistest.Start(t)
	st := patient(server.Pool())
	server.Do("SET", "revoke:user", "another's")
	for _, m := range methods[:len(methods)-1] {
		wantFailure(t, m.name, m.call(t.Context(), st))
	}
	if got := must(redis.String(server.Do("GET", "revoke:user"), nil)); got != "another's" {
		t.Errorf("the key has become %q", got)
	}
}

func TestRedisMalformedFields(t *testing.T) {
	server := redistest.Start(t)
	st := patient(server.Pool())
	must(st.Create(t.Context(), record("user", "0"), store.Limit{}))
	good := must(redis.String(server.Do("HGET", "revoke:user", "s:0"), nil))
	for _, bad := range []string{"", " ", "x", good[:100], " " + good, good[1:], "x" + good, "3" + good[1:], "2" + good[1:123], strings.Repeat("nan ", 50)} {
		server.Do("HSET", "revoke:user", "s:0", bad)
		for _, m := range methods[:len(methods)-1] {
			if err := m.call(t.Context(), st); !strings.HasPrefix(m.name, "Create") { // which looks at the others beyond the limit only
				wantFailure(t, fmt.Sprintf("%s with the session %q", m.name, bad), err)
			}
		}
		if got := must(redis.String(server.Do("HGET", "revoke:user", "s:0"), nil)); got != bad {
			t.Errorf("%q has become %q", bad, got)
		}
	}
	server.Do("HSET", "revoke:user", "s:0", good, "order", "many\x00")
	must(st.Revoke(t.Context(), "user", "0", store.Revocation{}))
	for _, bad := range []string{"", " ", "x", good[:80], "3" + good[1:], strings.Repeat("nan ", 50)} {
		server.Do("HSET", "revoke:user", "t:0", bad)
		_, err := st.Find(t.Context(), "user", "0")
		wantFailure(t, fmt.Sprintf("Find of the tombstone %q", bad), err)
		wantFailure(t, "Touch", st.Touch(t.Context(), "user", "0", store.Touch{}))
	}
}

// A sign-in below the limit reads none of the other sessions.
func TestRedisSignsInWhateverElseThereIs(t *testing.T) {
	server := redistest.Start(t)
	st := patient(server.Pool())
	fill(t, server, st, "user", 99)
	for i := range 99 {
		server.Do("HSET", "revoke:user", fmt.Sprint("s:", i), "unreadable")
	}
	must(st.Create(t.Context(), record("user", "new"), store.Limit{Max: 100}))
	_, err := st.Create(t.Context(), record("user", "newer"), store.Limit{Max: 100})
	wantFailure(t, "Create at the limit", err)
}

// An answer is a connection that answers every command alike.
type answer struct{ reply any }

func (a answer) Get() redis.Conn { return a }

func (a answer) Close() error { return nil }

func (a answer) Err() error { return nil }

func (a answer) Do(string, ...any) (any, error) { return a.reply, nil }

func (a answer) Send(string, ...any) error { return nil }

func (a answer) Flush() error { return nil }

func (a answer) Receive() (any, error) { return a.reply, nil }

func (a answer) ReceiveWithTimeout(time.Duration) (any, error) { return a.reply, nil }

func (a answer) DoWithTimeout(time.Duration, string, ...any) (any, error) {
	return a.reply, nil
}

func TestRedisUnexpectedAnswers(t *testing.T) {
	ok, id, name := []byte("ok"), []byte("id"), []byte("s:id")
	for _, reply := range []any{
		nil, int64(1), "OK", []byte("ok"), []any{}, []any{nil}, []any{int64(1)}, []any{[]byte("unheard of")},
		[]any{ok, id}, []any{ok, id, nil}, []any{ok, nil, nil}, []any{ok, id, int64(1)}, []any{ok, id, id}, []any{ok, name, id},
		[]any{ok, []any{}, id}, []any{nil, nil, []any{}}, []any{redis.Error("ERR x"), nil, nil}, []any{nil, nil, nil, nil},
	} {
		for _, m := range methods {
			wantFailure(t, fmt.Sprintf("%s answered with %q", m.name, reply), m.call(t.Context(), store.NewRedis(answer{reply})))
		}
	}
	if _, err := store.NewRedis(answer{[]any{ok}}).Revoke(t.Context(), "user", "id", store.Revocation{}); err == nil {
		t.Error("Revoke that was answered with no session returned no error")
	}
}

// Whatever is in the fields of a record, Find returns it or an error, and what it
// returns comes back when it is stored anew.
func FuzzRecord(f *testing.F) {
	server := redistest.Start(f)
	st := patient(server.Pool())
	must(st.Create(f.Context(), record("user", "0"), store.Limit{}))
	must(st.Create(f.Context(), record("user", "1"), store.Limit{}))
	must(st.Revoke(f.Context(), "user", "1", store.Revocation{By: "0", Reason: "a reason"}))
	session := must(redis.Bytes(server.Do("HGET", "revoke:user", "s:0"), nil))
	tombstone := must(redis.Bytes(server.Do("HGET", "revoke:user", "t:1"), nil))
	f.Add(session, []byte("data"), []byte(nil))
	f.Add([]byte(nil), []byte(nil), tombstone)
	f.Add(session[:50], []byte{}, tombstone[:50])
	f.Add(append([]byte("2"), session[1:]...), []byte{}, append([]byte("2"), tombstone[1:]...))
	f.Fuzz(func(t *testing.T, session, data, tombstone []byte) {
		fields := []any{session, data, tombstone}
		if len(session) == 0 {
			fields[0] = nil
		}
		if len(tombstone) == 0 {
			fields[2] = nil
		}
		got, err := store.NewRedis(answer{fields}).Find(t.Context(), "user", "id")
		switch {
		case errors.Is(err, store.ErrRevoked):
			if got.Revoked == nil || got.Client != nil || got.Data != nil {
				t.Errorf("the tombstone is %+v", got)
			}
		case err == nil:
			if got.Revoked != nil || !time.Now().Before(got.ExpiresAt) {
				t.Errorf("the session is %+v", got)
			}
			sent := &sending{}
			store.NewRedis(sent).Update(t.Context(), got, got.Secret)
			again, err := store.NewRedis(answer{[]any{sent.session, data, nil}}).Find(t.Context(), "user", "id")
			if err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
				t.Errorf("%+v has come back as %+v, %v", got, again, err)
			}
		}
	})
}

// sending keeps the field of the session that Update sent.
type sending struct {
	answer
	session []byte
}

func (s *sending) Get() redis.Conn { return s }

func (s *sending) DoWithTimeout(_ time.Duration, _ string, args ...any) (any, error) {
	s.session = []byte(args[3+2].(string)) // after the script's hash, the number of keys and the key
	return nil, nil
}
