package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/revoke-sessions/revoke"
)

// patience is how long a client may take to receive what is sent.
const patience = 5 * time.Second

// events streams the time until the session ends, and then why it did.
func events(sessions *revoke.Manager) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := sessions.Watch(r.Context())
		defer cancel()
		if ctx.Err() != nil {
			http.Error(w, ending(ctx), http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		stream := http.NewResponseController(w)
		send := func(event, data string) error {
			stream.SetWriteDeadline(time.Now().Add(patience))
			fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data)
			return stream.Flush()
		}

		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for ctx.Err() == nil {
			if send("time", time.Now().Format(time.TimeOnly)) != nil {
				return
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
		send("end", ending(ctx))
	}
}

// socket answers every message with itself until the session ends, and then
// closes the connection with the reason.
func socket(sessions *revoke.Manager) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := sessions.Watch(r.Context())
		defer cancel()
		if ctx.Err() != nil {
			http.Error(w, ending(ctx), http.StatusUnauthorized)
			return
		}
		conn, err := websocket.Accept(w, r, nil) // refuses pages of other origins
		if err != nil {
			return // it has answered
		}
		defer conn.CloseNow()
		// Read and Write do not get ctx, because the connection would be closed
		// without a word when it is done.
		stop := context.AfterFunc(ctx, func() { conn.Close(websocket.StatusPolicyViolation, ending(ctx)) })
		defer stop()
		for {
			kind, message, err := conn.Read(r.Context())
			if err != nil || ctx.Err() != nil {
				return // until the client has heard the reason, it may go on sending
			}
			writing, cancel := context.WithTimeout(r.Context(), patience)
			err = conn.Write(writing, kind, message)
			cancel()
			if err != nil {
				return
			}
		}
	}
}

// ending says why a watch is over.
func ending(watched context.Context) string {
	var revoked *revoke.RevokedError
	switch cause := context.Cause(watched); {
	case errors.As(cause, &revoked):
		return revoked.Reason
	case errors.Is(cause, revoke.ErrUnauthenticated):
		return "not signed in" // or no longer: the session has expired, for example
	}
	return "interrupted"
}
