module github.com/revoke-sessions/revoke/examples/grpc

go 1.25.1

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/revoke-sessions/revoke v0.0.0
	google.golang.org/grpc v1.81.0
	google.golang.org/protobuf v1.36.11
)

require (
	github.com/fxamacker/cbor/v2 v2.10.0 // indirect
	github.com/gomodule/redigo v1.9.3 // indirect
	github.com/mileusna/useragent v1.3.5 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/net v0.51.0 // indirect
	golang.org/x/sys v0.42.0 // indirect
	golang.org/x/text v0.34.0 // indirect
	golang.org/x/time v0.14.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260226221140-a57be14db171 // indirect
)

replace github.com/revoke-sessions/revoke => ../..
