package main

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// follow is a client that signs in and prints the user's notes until its session ends. If
// it is to be alone, it ends all others before.
func follow(address, user string, alone bool) error {
	// A client in production uses TLS: the token must not be seen on the way.
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	token := new(wrapperspb.StringValue)
	if err := conn.Invoke(context.Background(), signInMethod, wrapperspb.String(user), token); err != nil {
		return err
	}
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token.Value)
	if alone {
		if err := conn.Invoke(ctx, "/Notes/EndOthers", new(emptypb.Empty), new(emptypb.Empty)); err != nil {
			return err
		}
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/Notes/Follow")
	if err != nil {
		return err
	}
	if err := stream.SendMsg(new(emptypb.Empty)); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		note := new(wrapperspb.StringValue)
		if err := stream.RecvMsg(note); err != nil {
			return err
		}
		fmt.Println(note.Value)
	}
}
