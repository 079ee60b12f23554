module github.com/revoke-sessions/revoke/examples/mobile

go 1.25.1

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/revoke-sessions/revoke v0.0.0
	github.com/revoke-sessions/revoke/accesstoken v0.0.0
)

require (
	github.com/fxamacker/cbor/v2 v2.10.0 // indirect
	github.com/go-jose/go-jose/v4 v4.1.9 // indirect
	github.com/gomodule/redigo v1.9.3 // indirect
	github.com/mileusna/useragent v1.3.5 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/time v0.14.0 // indirect
)

replace github.com/revoke-sessions/revoke => ../..

replace github.com/revoke-sessions/revoke/accesstoken => ../../accesstoken
