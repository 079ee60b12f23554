package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// TestMain is the program itself in the process that a test starts.
func TestMain(m *testing.M) {
	if os.Getenv("GRPC_TEST") == "run" {
		main()
		return
	}
	os.Exit(m.Run())
}

// run runs the program, and returns what it prints and what it says when it ends.
func run(t *testing.T, args ...string) (out *bufio.Reader, ended func() string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "GRPC_TEST=run")
	var said strings.Builder
	cmd.Stderr = &said
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	wait := func() { once.Do(func() { cmd.Wait() }) }
	t.Cleanup(func() {
		cmd.Process.Kill()
		wait()
	})
	return bufio.NewReader(pipe), func() string { wait(); return said.String() }
}

// start starts a server, and returns its address.
func start(t *testing.T) (address string) {
	t.Helper()
	out, _ := run(t, "-listen", "127.0.0.1:0")
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "Listening on "))
}

// connect starts a server, and returns a connection to it.
func connect(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(start(t), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// A client has a token.
type client struct {
	t    *testing.T
	conn *grpc.ClientConn
	ctx  context.Context
}

func signIn(t *testing.T, conn *grpc.ClientConn, user string) client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	token := new(wrapperspb.StringValue)
	if err := conn.Invoke(ctx, signInMethod, wrapperspb.String(user), token); err != nil {
		t.Fatal(err)
	}
	return client{t, conn, metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token.Value)}
}

// follow opens a stream, and returns after its first note.
func (c client) follow() grpc.ClientStream {
	c.t.Helper()
	stream, err := c.conn.NewStream(c.ctx, &grpc.StreamDesc{ServerStreams: true}, "/Notes/Follow")
	if err != nil {
		c.t.Fatal(err)
	}
	if err := stream.SendMsg(new(emptypb.Empty)); err != nil {
		c.t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		c.t.Fatal(err)
	}
	if note, err := receive(stream); err != nil || note != "Note of ann" {
		c.t.Fatalf("first note: %q, %v", note, err)
	}
	return stream
}

func receive(stream grpc.ClientStream) (string, error) {
	note := new(wrapperspb.StringValue)
	err := stream.RecvMsg(note)
	return note.Value, err
}

// TestStreamEnds has two clients of a user, of which one ends the other's stream.
func TestStreamEnds(t *testing.T) {
	conn := connect(t)
	phone, laptop := signIn(t, conn, "ann"), signIn(t, conn, "ann")
	ends, stays := phone.follow(), laptop.follow()
	if err := laptop.conn.Invoke(laptop.ctx, "/Notes/EndOthers", new(emptypb.Empty), new(emptypb.Empty)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := receive(ends); err != nil {
			if s := status.Convert(err); s.Code() != codes.Unauthenticated || s.Message() != "session revoked: revoked_others" {
				t.Errorf("the stream ends with %v", err)
			}
			break
		}
	}
	if _, err := receive(stays); err != nil {
		t.Errorf("the other stream: %v", err)
	}
	err := phone.conn.Invoke(phone.ctx, "/Notes/EndOthers", new(emptypb.Empty), new(emptypb.Empty))
	if s := status.Convert(err); s.Code() != codes.Unauthenticated || s.Message() != "session revoked: revoked_others" {
		t.Errorf("a call after the end: %v", err)
	}
}

func TestNoSession(t *testing.T) {
	conn := connect(t)
	for name, ctx := range map[string]context.Context{
		"no token":   t.Context(),
		"rubbish":    metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer x"),
		"two tokens": metadata.AppendToOutgoingContext(signIn(t, conn, "ann").ctx, "authorization", "Bearer x"),
	} {
		err := conn.Invoke(ctx, "/Notes/EndOthers", new(emptypb.Empty), new(emptypb.Empty))
		if s := status.Convert(err); s.Code() != codes.Unauthenticated || s.Message() != "sign in" {
			t.Errorf("%s: a call: %v", name, err)
		}
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/Notes/Follow")
		if err == nil {
			stream.SendMsg(new(emptypb.Empty))
			_, err = receive(stream)
		}
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s: a stream: %v", name, err)
		}
	}
}

// TestTour does what the server says when it starts.
func TestTour(t *testing.T) {
	address := start(t)
	first, ended := run(t, "-listen", address, "-as", "ann")
	if line, err := first.ReadString('\n'); line != "Note of ann\n" {
		t.Fatalf("the first prints %q, %v", line, err)
	}
	second, _ := run(t, "-listen", address, "-as", "ann", "-alone")
	if line, err := second.ReadString('\n'); line != "Note of ann\n" {
		t.Fatalf("the second prints %q, %v", line, err)
	}
	if said := ended(); !strings.Contains(said, "session revoked: revoked_others") {
		t.Errorf("the first ends with %q", said)
	}
}
