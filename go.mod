module github.com/revoke-sessions/revoke

go 1.25.1

require (
	github.com/alexedwards/scs/redisstore v0.0.0-20251002162104-209de6e426de
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/alicebob/miniredis/v2 v2.40.0
	github.com/fxamacker/cbor/v2 v2.10.0
	github.com/gomodule/redigo v1.9.3
	github.com/mileusna/useragent v1.3.5
	github.com/mna/redisc v1.4.0
	golang.org/x/time v0.14.0
)

require (
	github.com/x448/float16 v0.8.4 // indirect
	github.com/yuin/gopher-lua v1.1.1 // indirect
)
