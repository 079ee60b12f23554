package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	redigo "github.com/gomodule/redigo/redis"
	goredisclient "github.com/redis/go-redis/v9"
	rueidisclient "github.com/redis/rueidis"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/goredis"
	"github.com/revoke-sessions/revoke/store/rueidis"
)

// A contender is a way to keep sessions on Redis.
type contender struct {
	name   string
	tracks func(redis string, sm *scs.SessionManager) (func(http.Handler) http.Handler, error)
}

var contenders = []contender{
	{"scs, redisstore", func(redis string, sm *scs.SessionManager) (func(http.Handler) http.Handler, error) {
		sm.Store = redisstore.New(redigoPool(redis))
		return sm.LoadAndSave, nil
	}},
	{"revoke, redigo", func(redis string, sm *scs.SessionManager) (func(http.Handler) http.Handler, error) {
		return track(sm, redigoPool(redis)), nil
	}},
	{"revoke, go-redis", func(redis string, sm *scs.SessionManager) (func(http.Handler) http.Handler, error) {
		client := goredisclient.NewClient(&goredisclient.Options{Addr: redis, PoolSize: 64})
		return track(sm, goredis.Pool(client)), nil
	}},
	{"revoke, rueidis", func(redis string, sm *scs.SessionManager) (func(http.Handler) http.Handler, error) {
		return trackRueidis(sm, rueidisclient.ClientOption{InitAddress: []string{redis}})
	}},
	{"revoke, rueidis, MaxFlushDelay", func(redis string, sm *scs.SessionManager) (func(http.Handler) http.Handler, error) {
		return trackRueidis(sm, rueidisclient.ClientOption{InitAddress: []string{redis}, MaxFlushDelay: 20 * time.Microsecond})
	}},
}

func redigoPool(redis string) *redigo.Pool {
	return &redigo.Pool{MaxIdle: 64, Dial: func() (redigo.Conn, error) { return redigo.Dial("tcp", redis) }}
}

func trackRueidis(sm *scs.SessionManager, option rueidisclient.ClientOption) (func(http.Handler) http.Handler, error) {
	client, err := rueidisclient.NewClient(option)
	if err != nil {
		return nil, err
	}
	return track(sm, rueidis.Pool(client)), nil
}

func track(sm *scs.SessionManager, pool store.Pool) func(http.Handler) http.Handler {
	sessions := revoke.New(sm, store.NewRedis(pool))
	sessions.Logger = slog.New(slog.DiscardHandler)
	return sessions.Track
}

// serveContender prints the address on which it serves.
func serveContender(name, redis string) error {
	for _, c := range contenders {
		if c.name != name {
			continue
		}
		sm := scs.New()
		track, err := c.tracks(redis, sm)
		if err != nil {
			return err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println(l.Addr())
		return http.Serve(l, routes(sm, track))
	}
	return fmt.Errorf("there is no contender %q", name)
}

// routes returns what the servers do: sign in, read a value, and change one.
func routes(sm *scs.SessionManager, track func(http.Handler) http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		if err := sm.RenewToken(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		sm.Put(r.Context(), "userID", r.FormValue("user"))
		sm.Put(r.Context(), "theme", "dark")
		sm.Put(r.Context(), "visits", 1)
	})
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, sm.GetString(r.Context(), "theme"))
	})
	mux.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "visits", sm.GetInt(r.Context(), "visits")+1)
		fmt.Fprint(w, "dark")
	})
	outside := http.NewServeMux()
	outside.Handle("/", track(mux))
	outside.HandleFunc("/cpu", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, cpuTime().Microseconds()) })
	return outside
}
