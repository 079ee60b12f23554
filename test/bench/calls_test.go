package bench

import (
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// floor measures one command to Redis, the least that a request can take, and what a
// request takes beyond it.
func (r *report) floor(k kind) {
	all, pool := contenders(k, 0), k.pool()
	k.server.Do("HSET", "floor", "s:1", make([]byte, 230), "d:1", make([]byte, 60))
	command := &subject{run: func() {
		conn := pool.Get()
		if _, err := conn.Do("HMGET", "floor", "s:1", "d:1", "t:1"); err != nil {
			r.Fatal(err)
		}
		conn.Close()
	}}
	read, nothing := &subject{run: all[2].read()}, &subject{run: all[3].read()}
	inTurn(r.rounds, batchSize/4, 1, []*subject{command, read, nothing})
	r.printf("| one HMGET | %.1f µs |", command.p10())
	r.printf("| Redis, read, above one HMGET | %.1f µs |", read.p10()-nothing.p10()-command.p10())
}

// list measures the list of a user with ten sessions.
func (r *report) list(k kind) {
	c := contenders(k, 0)[2]
	populate(r, c.m, c.store, "ann", 10)
	s := &subject{run: func() {
		if list, err := c.m.List(r.Context(), "ann"); err != nil || len(list) != 10 {
			r.Fatal(len(list), err)
		}
	}}
	inTurn(r.rounds, batchSize/4, 1, []*subject{s})
	r.printf("| list 10, %s | %.1f µs |", k.name, s.p10())
}

// endInMemory measures how long it takes to end so many sessions of a user.
func (r *report) endInMemory(n int) {
	c := contenders(kind{}, 0)[2]
	users := 0
	var took []time.Duration
	for range 1 + r.rounds*10/n {
		users++
		user := fmt.Sprint("user ", users)
		populate(r, c.m, c.store, user, n)
		start := time.Now()
		if _, err := c.m.RevokeAll(r.Context(), user); err != nil {
			r.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	r.printf("| end %s, memory | %.0f µs |", thousands(n), micros(took, 0.1))
}

// endInsideRedis measures how long Redis is busy with it, and others wait.
func (r *report) endInsideRedis(k kind, n int) {
	c := contenders(k, 0)[2]
	users := 0
	took := r.inside(k, 1+r.rounds*10/n, func() { users++; populate(r, c.m, c.store, fmt.Sprint("many ", n, users), n) }, func() {
		if _, err := c.m.RevokeAll(r.Context(), fmt.Sprint("many ", n, users)); err != nil {
			r.Fatal(err)
		}
	})
	r.printf("| end %s, inside Redis | %.0f µs |", thousands(n), took)
}

// signInInsideRedis measures the same of sign-ins.
func (r *report) signInInsideRedis(k kind) {
	for _, has := range []int{0, 99, 100} {
		c := contenders(k, 0)[2]
		users := 0
		took := r.inside(k, 1+r.rounds/10, func() { users++; populate(r, c.m, c.store, fmt.Sprint("busy ", has, users), has) },
			func() { c.signIn(func() string { return fmt.Sprint("busy ", has, users) }, nil)() })
		r.printf("| sign-in of one with %d sessions, inside Redis | %.0f µs |", has, took)
	}
}

var busy = regexp.MustCompile(`cmdstat_(?:evalsha|eval):calls=\d+,usec=(\d+)`)

// inside returns the microseconds, by Redis's own clock, that the scripts of a call take.
func (r *report) inside(k kind, runs int, before, call func()) float64 {
	var took []time.Duration
	for range runs {
		before()
		stats := ""
		if k.server.Real {
			k.server.Do("CONFIG", "RESETSTAT")
		}
		call()
		if k.server.Real {
			stats, _ = redis.String(k.server.Do("INFO", "commandstats"), nil)
		}
		usec := 0
		for _, stat := range busy.FindAllStringSubmatch(stats, -1) {
			n, _ := strconv.Atoi(stat[1])
			usec += n
		}
		took = append(took, time.Duration(usec)*time.Microsecond)
	}
	return micros(took, 0.1)
}

// bytesInMemory measures the heap of many users with a session each.
func (r *report) bytesInMemory() {
	users := 100 * r.rounds
	gob, cbor := contenders(kind{}, 0)[0], contenders(kind{}, 0)[2]
	now := time.Now()
	values := map[string]any{"userID": "user 123456", "visits": 7, "theme": "dark"}
	grown := func(add func(i int)) float64 {
		before := heap()
		for i := range users {
			add(i)
		}
		return (heap() - before) / float64(users)
	}
	plain := grown(func(i int) {
		data, _ := gob.sm.Codec.Encode(now, values)
		gob.sm.Store.Commit(fmt.Sprintf("%043d", i), data, now.Add(24*time.Hour))
	})
	ours := grown(func(i int) {
		data, _ := revoke.Codec{}.Encode(now, values)
		_, _ = cbor.store.Create(r.Context(), store.Record{
			User: fmt.Sprintf("%022d", i), ID: fmt.Sprintf("%022d", i), CreatedAt: now, SeenAt: now, ProvedAt: now,
			ExpiresAt: now.Add(24 * time.Hour), Deadline: now.Add(24 * time.Hour),
			Client: []byte(`{"ip":"192.0.2.1","user_agent":"` + userAgent + `"}`), Data: data,
		}, store.Limit{Max: 100})
	})
	r.printf("| memory, 1 a user | %.0f | %.0f |", plain, ours)
	runtime.KeepAlive(gob)
	runtime.KeepAlive(cbor)
}

// bytesInRedis measures the keys of a user.
func (r *report) bytesInRedis(k kind) {
	if !k.server.Real {
		return
	}
	plain, ours := contenders(k, 0)[0], contenders(k, 0)[2]
	usage := func(key string) float64 {
		n, err := redis.Int(k.server.Do("MEMORY", "USAGE", key, "SAMPLES", 0), nil)
		if err != nil {
			r.Fatal(err)
		}
		return float64(n)
	}
	one := usage("scs:session:" + plain.cookie())
	each := func(n int, setting string) {
		user := fmt.Sprint("who has ", n, setting)
		for range n {
			ours.signIn(func() string { return user }, nil)()
		}
		r.printf("| Redis, %d a user%s | %.0f | %.0f |", n, setting, one, usage("revoke:"+userKey(ours.m, user))/float64(n))
	}
	each(1, "")
	each(10, "")
	each(100, "")
	k.server.Do("CONFIG", "SET", "hash-max-listpack-value", 512)
	each(10, ", hash-max-listpack-value 512")
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
