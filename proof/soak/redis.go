package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// A redisServer is a Redis that has on disk what it has answered.
type redisServer struct {
	address string
	dir     string
	cmd     *exec.Cmd
}

func startRedis() (*redisServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &redisServer{address: l.Addr().String()}
	l.Close()
	if r.dir, err = os.MkdirTemp("", "revoke-soak-"); err != nil {
		return nil, err
	}
	if err := r.start(); err != nil {
		r.remove()
		return nil, err
	}
	return r, nil
}

func (r *redisServer) start() error {
	_, port, _ := net.SplitHostPort(r.address)
	logFile := filepath.Join(r.dir, "redis.log")
	r.cmd = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", r.dir, "--logfile", logFile,
		"--daemonize", "no", "--save", "", "--appendonly", "yes", "--appendfsync", "always")
	if err := r.cmd.Start(); err != nil {
		return err
	}
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err = r.do("PING"); err == nil {
			return nil
		}
	}
	text, _ := os.ReadFile(logFile)
	return errors.Join(fmt.Errorf("redis-server does not answer:\n%s", text), err)
}

// kill ends Redis at once.
func (r *redisServer) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

// remove ends Redis for good.
func (r *redisServer) remove() {
	if r.cmd != nil && r.cmd.Process != nil {
		r.kill()
	}
	os.RemoveAll(r.dir)
}

func (r *redisServer) do(name string, args ...any) (any, error) {
	conn, err := redis.Dial("tcp", r.address, redis.DialConnectTimeout(time.Second),
		redis.DialReadTimeout(5*time.Second), redis.DialWriteTimeout(5*time.Second))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.Do(name, args...)
}

// A redisState is what Redis holds that it could be left with.
type redisState struct {
	version string
	keys    int
	clients int // without the one that asks
	memory  int // bytes
}

func (r *redisServer) state() (s redisState, err error) {
	if s.keys, err = redis.Int(r.do("DBSIZE")); err != nil {
		return s, err
	}
	info, err := redis.String(r.do("INFO"))
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		number, _ := strconv.Atoi(value)
		switch name {
		case "redis_version":
			s.version = value
		case "connected_clients":
			s.clients = number - 1
		case "used_memory":
			s.memory = number
		}
	}
	return s, err
}

// everyoneKey holds when everyone was revoked, for good.
const everyoneKey = "revoke:"

// leftovers counts the keys that are not a user's, and the fields of users'
// sessions and tombstones.
func (r *redisServer) leftovers() (foreign, sessions, mostTombstones int, err error) {
	keys, err := redis.Strings(r.do("KEYS", "*"))
	for _, key := range keys {
		if key == everyoneKey {
			continue
		}
		if !strings.HasPrefix(key, "revoke:") {
			foreign++
			continue
		}
		fields, err := redis.Strings(r.do("HKEYS", key))
		if err != nil {
			return 0, 0, 0, err
		}
		tombstones := 0
		for _, field := range fields {
			switch {
			case strings.HasPrefix(field, "t:"):
				tombstones++
			case strings.HasPrefix(field, "s:") || strings.HasPrefix(field, "d:"):
				sessions++
			}
		}
		mostTombstones = max(mostTombstones, tombstones)
	}
	return foreign, sessions, mostTombstones, err
}
