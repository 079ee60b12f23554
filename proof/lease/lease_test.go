//go:build unix

package lease

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

const (
	lease  = 100 * time.Millisecond
	askers = 4
)

// askerVariable has the test program be the process that asks, and says how: the address
// of Redis, how long it holds a lease, and whether it heeds notices.
const askerVariable = "REVOKE_PROOF_ASKER"

func TestMain(m *testing.M) {
	if how := os.Getenv(askerVariable); how != "" {
		if err := ask(how); err != nil {
			fmt.Fprintln(os.Stderr, "asker:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func open(addr string) *store.Redis {
	return store.NewRedis(&redis.Pool{MaxIdle: askers, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", addr) }})
}

// ask reads the user key of a session, and asks for it until it reads an empty line. It
// answers with when the last check that was answered yes began, and how many there were.
func ask(how string) error {
	var addr string
	var hold time.Duration
	var heeds bool
	if _, err := fmt.Sscan(how, &addr, &hold, &heeds); err != nil {
		return err
	}
	leased := store.Lease(open(addr), hold)
	if heeds {
		go leased.Listen(context.Background())
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		user := in.Text()
		var lastYes, checks atomic.Int64
		var asking sync.WaitGroup
		done := make(chan struct{})
		said := make(chan struct{})
		var once sync.Once
		for range askers {
			asking.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					began := time.Now().UnixNano()
					if _, err := leased.Live(context.Background(), user, "1"); err == nil {
						for last := lastYes.Load(); last < began && !lastYes.CompareAndSwap(last, began); last = lastYes.Load() {
						}
						once.Do(func() { close(said) })
					}
					checks.Add(1)
				}
			})
		}
		<-said
		fmt.Println("yes")
		in.Scan()
		close(done)
		asking.Wait()
		fmt.Println(lastYes.Load(), checks.Load())
	}
	return in.Err()
}

// An asker is the other process.
type asker struct {
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

func startAsker(t *testing.T, addr string, hold time.Duration, heeds bool) *asker {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %t", askerVariable, addr, hold, heeds))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = in.(io.Closer).Close()
		_ = cmd.Wait()
	})
	return &asker{cmd, in, bufio.NewReader(out)}
}

func (a *asker) say(t *testing.T, line string) (answer string) {
	t.Helper()
	if _, err := fmt.Fprintln(a.in, line); err != nil {
		t.Fatal(err)
	}
	answer, err := a.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(answer)
}

// A revocation is how the session of a round ends. It returns when that is answered.
type revocation func(ctx context.Context, st store.Store, user string) error

func revokeOne(ctx context.Context, st store.Store, user string) error {
	_, err := st.Revoke(ctx, user, "1", store.Revocation{})
	return err
}

func revokeAll(ctx context.Context, st store.Store, user string) error {
	_, err := st.RevokeAll(ctx, user, "", store.Revocation{})
	return err
}

// revokeTwice is answered that there is no such session, as another call has ended it.
func revokeTwice(ctx context.Context, st store.Store, user string) error {
	first := make(chan error, 1)
	go func() { first <- revokeOne(ctx, st, user) }()
	for {
		if _, err := st.Find(ctx, user, "1"); errors.Is(err, store.ErrRevoked) {
			break
		}
	}
	if err := revokeOne(ctx, st, user); !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("the second revocation: %w", err)
	}
	return nil // the first may still be waiting
}

func evict(ctx context.Context, st store.Store, user string) error {
	_, err := st.Create(ctx, record(user, "2"), store.Limit{Max: 1})
	return err
}

func record(user, id string) store.Record {
	now := time.Now()
	return store.Record{User: user, ID: id, Secret: store.HashSecret(id), CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
}

// A setting is how the two processes are set up.
type setting struct {
	name     string
	revoker  func(*store.Redis) store.Store
	hold     time.Duration // of the asker
	heeds    bool          // the asker heeds notices
	end      revocation
	stopped  time.Duration // how long the asker is stopped, around the revocation; zero for not
	rounds   int
	mustFail bool // it is a control
}

func waits(st *store.Redis) store.Store   { return store.Lease(st, lease) }
func hurries(st *store.Redis) store.Store { return st }

var settings = []setting{
	{name: "revoke", revoker: waits, hold: lease, end: revokeOne, rounds: 10},
	{name: "revoke, with notices", revoker: waits, hold: lease, heeds: true, end: revokeOne, rounds: 10},
	{name: "not found, as another revokes", revoker: waits, hold: lease, end: revokeTwice, rounds: 10},
	{name: "all", revoker: waits, hold: lease, end: revokeAll, rounds: 10},
	{name: "eviction", revoker: waits, hold: lease, end: evict, rounds: 10},
	{name: "stopped for less than a lease", revoker: waits, hold: lease, end: revokeOne, stopped: lease / 2, rounds: 5},
	{name: "stopped for longer than a lease", revoker: waits, hold: lease, end: revokeOne, stopped: 2 * lease, rounds: 5},
	{name: "control: nobody waits", revoker: hurries, hold: lease, end: revokeOne, rounds: 100, mustFail: true},
	{name: "control: held for longer than the revoker waits", revoker: waits, hold: 10 * lease, end: revokeOne, rounds: 100, mustFail: true},
	{name: "control: the second revocation does not wait", revoker: func(st *store.Redis) store.Store { return hasty{store.Lease(st, lease)} }, hold: lease, end: revokeTwice, rounds: 100, mustFail: true},
}

// A hasty store does not wait if there is no such session.
type hasty struct{ *store.Leased }

func (h hasty) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	if _, err := h.Unwrap().Find(ctx, user, id); err != nil {
		return store.Record{}, store.ErrNotFound
	}
	return h.Leased.Revoke(ctx, user, id, why)
}

// TestNoYesAfterTheAnswer compares when the revocation was answered here with when the
// last check began there that was answered yes. Both go by the clock of the machine.
func TestNoYesAfterTheAnswer(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			st := open(server.Addr)
			revoker := s.revoker(st)
			a := startAsker(t, server.Addr, s.hold, s.heeds)
			broken, checks := 0, 0
			for round := range s.rounds {
				if s.mustFail && broken > 0 {
					break
				}
				user := fmt.Sprintf("%s %d", strings.ReplaceAll(s.name, " ", "-"), round)
				late, n := s.play(t, a, st, revoker, user)
				if checks += n; late > 0 {
					broken++
					if !s.mustFail {
						t.Errorf("round %d: yes to a check that began %v after the answer", round, late)
					}
				}
			}
			if s.mustFail && broken == 0 {
				t.Errorf("never caught in %d rounds and %d checks", s.rounds, checks)
			}
			t.Logf("%d checks", checks)
		})
	}
}

// play plays one round, and returns how long after the answer the last check began that
// was answered yes.
func (s setting) play(t *testing.T, a *asker, st *store.Redis, revoker store.Store, user string) (late time.Duration, checks int) {
	ctx := context.Background()
	if _, err := st.Create(ctx, record(user, "1"), store.Limit{}); err != nil {
		t.Fatal(err)
	}
	a.say(t, user)
	var going sync.WaitGroup
	if s.stopped > 0 {
		if err := a.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		going.Go(func() {
			time.Sleep(s.stopped)
			_ = a.cmd.Process.Signal(syscall.SIGCONT)
		})
	}
	if err := s.end(ctx, revoker, user); err != nil {
		t.Fatal(err)
	}
	answered := time.Now().UnixNano()
	going.Wait()
	time.Sleep(lease / 2) // for a yes that must not be given
	var lastYes int64
	if _, err := fmt.Sscan(a.say(t, ""), &lastYes, &checks); err != nil {
		t.Fatal(err)
	}
	return max(0, time.Duration(lastYes-answered)), checks
}
