package main

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/revoke-sessions/revoke"
)

// notes is the application.
type notes struct{ sessions *revoke.Manager }

// signIn takes a user's name, and returns a token.
func (n *notes) signIn(ctx context.Context, user *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
	if user.Value == "" { // check the password here
		return nil, status.Error(codes.InvalidArgument, "who are you?")
	}
	token, err := n.sessions.Issue(ctx, user.Value)
	return wrapperspb.String(token), statusOf(err)
}

// endOthers ends all other sessions of the caller.
func (n *notes) endOthers(ctx context.Context, _ *emptypb.Empty) (*emptypb.Empty, error) {
	_, err := n.sessions.RevokeOthers(ctx)
	return new(emptypb.Empty), statusOf(err)
}

// follow sends a note each second until the session ends.
func (n *notes) follow(stream grpc.ServerStream) error {
	session, _ := n.sessions.Current(stream.Context())
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := stream.SendMsg(wrapperspb.String("Note of " + session.UserID)); err != nil {
			return err
		}
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-tick.C:
		}
	}
}

const signInMethod = "/Notes/SignIn"

// notesService is what protoc would write for
//
//	service Notes {
//		rpc SignIn(google.protobuf.StringValue) returns (google.protobuf.StringValue);
//		rpc EndOthers(google.protobuf.Empty) returns (google.protobuf.Empty);
//		rpc Follow(google.protobuf.Empty) returns (stream google.protobuf.StringValue);
//	}
var notesService = grpc.ServiceDesc{
	ServiceName: "Notes",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{
		{MethodName: "SignIn", Handler: unary(signInMethod, (*notes).signIn)},
		{MethodName: "EndOthers", Handler: unary("/Notes/EndOthers", (*notes).endOthers)},
	},
	Streams: []grpc.StreamDesc{{
		StreamName: "Follow", ServerStreams: true,
		Handler: func(server any, stream grpc.ServerStream) error {
			if err := stream.RecvMsg(new(emptypb.Empty)); err != nil {
				return err
			}
			return server.(*notes).follow(stream)
		},
	}},
}

func unary[In, Out any](method string, do func(*notes, context.Context, *In) (*Out, error)) grpc.MethodHandler {
	return func(server any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := new(In)
		if err := decode(in); err != nil {
			return nil, err
		}
		return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: server, FullMethod: method}, func(ctx context.Context, in any) (any, error) {
			return do(server.(*notes), ctx, in.(*In))
		})
	}
}
