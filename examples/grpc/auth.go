package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/revoke-sessions/revoke"
)

// open opens the session of a call, whose metadata has "authorization: Bearer <token>".
func open(ctx context.Context, sessions *revoke.Manager) (context.Context, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	r := (&http.Request{
		URL:    new(url.URL),
		Header: http.Header{"Authorization": md["authorization"], "User-Agent": md["user-agent"]},
	}).WithContext(ctx)
	if p, ok := peer.FromContext(ctx); ok {
		r.RemoteAddr = p.Addr.String()
	}
	ctx, err := sessions.Open(r)
	return ctx, statusOf(err)
}

// statusOf says to a client what an error of revoke means to it.
func statusOf(err error) error {
	var revoked *revoke.RevokedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &revoked):
		return status.Error(codes.Unauthenticated, "session revoked: "+revoked.Reason)
	case errors.Is(err, revoke.ErrUnauthenticated):
		return status.Error(codes.Unauthenticated, "sign in")
	}
	return status.Error(codes.Unavailable, "try again") // and keep the token
}

// openCall lets only calls with a session through, but for the one that signs in.
func openCall(sessions *revoke.Manager) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if info.FullMethod == signInMethod {
			return next(ctx, in)
		}
		ctx, err := open(ctx, sessions)
		if err != nil {
			return nil, err
		}
		return next(ctx, in)
	}
}

// openStream lets only streams with a session through. Their context is done when the
// session ends; a handler that then returns ends the stream, and the client hears why.
func openStream(sessions *revoke.Manager) grpc.StreamServerInterceptor {
	return func(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		ctx, err := open(stream.Context(), sessions)
		if err != nil {
			return err
		}
		ctx, cancel := sessions.Watch(ctx)
		defer cancel()
		err = next(server, watched{stream, ctx})
		if cause := context.Cause(ctx); errors.Is(cause, revoke.ErrUnauthenticated) {
			return statusOf(cause)
		}
		return err
	}
}

type watched struct {
	grpc.ServerStream
	ctx context.Context
}

func (w watched) Context() context.Context { return w.ctx }
