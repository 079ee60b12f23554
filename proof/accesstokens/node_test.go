//go:build unix

package accesstokens_test

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
	"github.com/revoke-sessions/revoke/store"
)

const (
	nodeVariable = "REVOKE_PROOF_NODE"
	issuer       = "https://id.example"
	audience     = "https://api.example"
)

// TestMain is a node in the processes that a test starts.
func TestMain(m *testing.M) {
	if config := os.Getenv(nodeVariable); config != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // ends with the process that started this one
			os.Exit(0)
		}()
		fmt.Fprintln(os.Stderr, "node:", serve(config))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A nodeConfig says what a process does. One with no JWKS is the site, which signs users
// in and ends sessions; the others are services, which take access tokens.
type nodeConfig struct {
	Redis      string        // host:port
	Lease      time.Duration // of store.Lease; none if zero
	Listen     bool          // heeds the store's notices
	MaxPerUser int
	JWKS       string
}

func serve(config string) error {
	var c nodeConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	stops := &stopping{Store: store.NewRedis(&redis.Pool{MaxIdle: 32, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", c.Redis) }})}
	var st store.Store = stops
	if c.Lease > 0 {
		leased := store.Lease(st, c.Lease)
		if c.Listen {
			go leased.Listen(context.Background())
		}
		st = leased
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/stop", func(http.ResponseWriter, *http.Request) { stops.next.Store(true) })
	if c.JWKS == "" {
		if err := handleSite(mux, st, c.MaxPerUser); err != nil {
			return err
		}
	} else {
		v := accesstoken.NewVerifier(issuer, audience, c.JWKS, revoke.LiveIn(st))
		mux.Handle("/{$}", v.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, mux)
}

// stopping is a store that can stop the process between its answer and the use of that.
type stopping struct {
	store.Store
	next atomic.Bool
}

func (s *stopping) Unwrap() store.Store { return s.Store }

func (s *stopping) Find(ctx context.Context, user, id string) (store.Record, error) {
	r, err := s.Store.Find(ctx, user, id)
	if s.next.CompareAndSwap(true, false) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		time.Sleep(50 * time.Millisecond) // until the signal has reached each thread
	}
	return r, err
}

// A signIn is what the site answers to one.
type signIn struct{ User, ID, Token string }

func handleSite(mux *http.ServeMux, st store.Store, maxPerUser int) error {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	sessions := revoke.New(scs.New(), st)
	sessions.Bearer, sessions.Limiter, sessions.MaxPerUser = true, nil, maxPerUser
	tokens, err := accesstoken.New(sessions, accesstoken.Config{Issuer: issuer, Audience: audience, Keys: []crypto.Signer{key}})
	if err != nil {
		return err
	}
	mux.Handle("/jwks", tokens.JWKS())
	mux.Handle("/signin", sessions.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := sessions.Issue(r.Context(), r.FormValue("user")); err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		token, _, err := tokens.Mint(r.Context())
		if err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		s, _ := sessions.Current(r.Context())
		_ = json.NewEncoder(w).Encode(signIn{s.UserID, s.ID, token})
	})))
	ends := func(path string, end func(ctx context.Context, user, id string) error) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := end(r.Context(), r.FormValue("user"), r.FormValue("id")); err != nil {
				revoke.ProblemOf(err).Write(w)
			}
		})
	}
	ends("/revoke", sessions.Revoke)
	ends("/revoke-all", func(ctx context.Context, user, _ string) error {
		_, err := sessions.RevokeAll(ctx, user)
		return err
	})
	ends("/revoke-everyone", func(ctx context.Context, _, _ string) error { return sessions.RevokeEveryone(ctx) })
	return nil
}

// A node is a process.
type node struct {
	t   *testing.T
	url string
	cmd *exec.Cmd
}

func start(t *testing.T, c nodeConfig) *node {
	t.Helper()
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeVariable+"="+string(config))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return &node{t, "http://" + strings.TrimSpace(address), cmd}
}

func (n *node) signal(s syscall.Signal) {
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Error(err)
	}
}

// waitStopped returns when the process has stopped.
func (n *node) waitStopped() {
	n.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.cmd.Process.Pid))
		if errors.Is(err, os.ErrNotExist) {
			n.t.Skip("there is no /proc to see by that a process has stopped")
		}
		if _, state, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(state, "T") {
			return
		}
	}
	n.t.Fatal("the process does not stop")
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// call asks a node, and returns the status and the body.
func (n *node) call(path, token string) (status int, body string) {
	r, err := http.NewRequest("POST", n.url+path, nil)
	if err != nil {
		n.t.Error(err)
		return 0, ""
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r)
	if err != nil {
		n.t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func (n *node) signIn(user string) (s signIn) {
	n.t.Helper()
	status, body := n.call("/signin?user="+user, "")
	if err := json.Unmarshal([]byte(body), &s); err != nil || status != http.StatusOK {
		n.t.Fatalf("sign in: %d %s", status, body)
	}
	return s
}
