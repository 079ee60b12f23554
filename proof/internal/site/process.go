package site

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const configVariable = "REVOKE_PROOF_SITE"

// Main returns at once, unless Start has started this process: then it serves, and never
// returns. Every program and test that calls Start must begin with it.
func Main() {
	config := os.Getenv(configVariable)
	if config == "" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the process that started this one
		os.Exit(0)
	}()
	fmt.Fprintln(os.Stderr, "site:", serve(config))
	os.Exit(1)
}

func serve(config string) error {
	var c Config
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	h, err := handler(c)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(l)
}

// A Process is a server in a process of its own.
type Process struct {
	URL string

	config Config
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr output
}

// Start starts a server and waits until it listens.
func Start(c Config) (*Process, error) {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	p := &Process{config: c}
	if err := p.start(); err != nil {
		return nil, fmt.Errorf("site: start a server: %w", err)
	}
	return p, nil
}

func (p *Process) start() error {
	config, err := json.Marshal(p.config)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	p.cmd = exec.Command(program)
	p.cmd.Env = append(os.Environ(), configVariable+"="+string(config))
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.Kill()
		return errors.New(p.stderr.String())
	}
	p.config.Listen = strings.TrimSpace(address) // where it is to be after a restart, too
	p.URL = "http://" + p.config.Listen
	return nil
}

// Kill ends the server at once, as kill -9 does.
func (p *Process) Kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.stdin.Close()
		p.cmd = nil
	}
}

// Restart starts a server that was killed, at the address that it had.
func (p *Process) Restart() error {
	p.Kill()
	if err := p.start(); err != nil {
		return fmt.Errorf("site: restart a server: %w", err)
	}
	return nil
}

// Deploy restarts a server as the application was before revoke came, or as it is now.
func (p *Process) Deploy(plain bool) error {
	p.config.Plain = plain
	return p.Restart()
}

// Stderr returns what the server has said that it should not have to say: a
// panic, or a report of the race detector.
func (p *Process) Stderr() string { return p.stderr.String() }

type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
