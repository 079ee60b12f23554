module github.com/revoke-sessions/revoke/store/memcachestore

go 1.25.1

replace github.com/revoke-sessions/revoke => ../..

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/bradfitz/gomemcache v0.0.0-20260422231931-4d751bb6e37c
	github.com/revoke-sessions/revoke v0.0.0
)

require github.com/gomodule/redigo v1.9.3 // indirect
