module github.com/revoke-sessions/revoke/test/throughput

go 1.25.1

replace (
	github.com/revoke-sessions/revoke => ../..
	github.com/revoke-sessions/revoke/store/goredis => ../../store/goredis
	github.com/revoke-sessions/revoke/store/rueidis => ../../store/rueidis
)

require (
	github.com/alexedwards/scs/redisstore v0.0.0-20251002162104-209de6e426de
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/gomodule/redigo v1.9.3
	github.com/redis/go-redis/v9 v9.22.0
	github.com/redis/rueidis v1.0.79
	github.com/revoke-sessions/revoke v0.0.0
	github.com/revoke-sessions/revoke/store/goredis v0.0.0
	github.com/revoke-sessions/revoke/store/rueidis v0.0.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/fxamacker/cbor/v2 v2.10.0 // indirect
	github.com/mileusna/useragent v1.3.5 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	go.uber.org/atomic v1.11.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/time v0.14.0 // indirect
)
