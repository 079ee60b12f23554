package examples_test

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

var (
	sentinels []string
	limits    = []redis.DialOption{redis.DialConnectTimeout(time.Second), redis.DialReadTimeout(time.Second), redis.DialWriteTimeout(time.Second)}
)

// dialPrimary asks the sentinels where the primary is.
func dialPrimary() (redis.Conn, error) {
	for _, addr := range sentinels {
		sentinel, err := redis.Dial("tcp", addr, limits...)
		if err != nil {
			continue
		}
		primary, err := redis.Strings(sentinel.Do("SENTINEL", "get-master-addr-by-name", "mymaster"))
		sentinel.Close()
		if err != nil {
			continue
		}
		conn, err := redis.Dial("tcp", net.JoinHostPort(primary[0], primary[1]), limits...)
		if err == nil {
			err = checkPrimary(conn, time.Time{})
		}
		return conn, err
	}
	return nil, errors.New("no sentinel knows the primary")
}

// checkPrimary refuses a connection to a node that is the primary no more.
func checkPrimary(conn redis.Conn, _ time.Time) error {
	role, err := redis.Values(conn.Do("ROLE"))
	if err == nil && string(role[0].([]byte)) != "master" {
		err = errors.New("not the primary any more")
	}
	return err
}

func sentinelStore() *store.Redis {
	pool := &redis.Pool{MaxIdle: 10, Dial: dialPrimary, TestOnBorrow: checkPrimary}
	st := store.NewRedis(pool)
	st.Replicas = 1 // each revocation is answered when a replica has it
	return st
}

// TestSentinel shows that the pool in docs/operations.md follows the primary when another
// takes over, and that no revocation is lost on the way.
func TestSentinel(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	primary.StartReplica(t, nil)
	for _, sentinel := range redistest.StartSentinels(t, 3, "mymaster", primary) {
		sentinels = append(sentinels, sentinel.Addr)
	}
	app := testapp.New(t, sentinelStore())
	laptop, phone, tablet := app.SignedIn(t, "ann"), app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	if got := laptop.Delete(testapp.APIPath + "/" + phone.ID()); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	over := phone.Cookie
	primary.Kill()
	start := time.Now()
	for {
		got := laptop.Send("GET", "/me")
		if got.Status == http.StatusOK {
			break
		}
		if got.Status != http.StatusServiceUnavailable || time.Since(start) > 30*time.Second {
			t.Fatalf("%v after the death of the primary: %d %s", time.Since(start), got.Status, got.Body)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("the replica had taken over after %v", time.Since(start))
	phone.Cookie = over
	if got := phone.Get("/me"); got.Status != http.StatusUnauthorized {
		t.Errorf("the revoked session: %d", got.Status)
	}
	if got := tablet.Get("/me"); got.Status != http.StatusOK {
		t.Errorf("another session: %d", got.Status)
	}
	got := laptop.Delete(testapp.APIPath + "/" + tablet.ID())
	if got.Status != http.StatusServiceUnavailable || !strings.Contains(got.Body, `"revocation_not_replicated"`) {
		t.Errorf("a revocation while there is no replica: %d %s", got.Status, got.Body)
	}
}

// A connection from before is refused once its node has become a replica, for
// what it reads there may be out of date.
func TestCheckPrimary(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	conn, err := redistest.Dial(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := checkPrimary(conn, time.Time{}); err != nil {
		t.Errorf("a primary: %v", err)
	}
	server.Do("REPLICAOF", "127.0.0.1", "1")
	if err := checkPrimary(conn, time.Time{}); err == nil {
		t.Error("a replica is taken for the primary")
	}
}
