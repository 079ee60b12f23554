// Package ways tries each way in which a session that was ended would come back,
// R1 to R18, over real HTTP and on every store.
//
//	go test ./test/ways -run 'TestRevokedStaysRevoked$/R5/redis'
//	go test ./test/ways -tags plainscs -run 'PlainSCS'   # the same over plain scs
//	cd store/sqlstore && go test -run 'TestRevokedStaysRevoked$/postgres/R5$'
//
// The ways are those of package trial: session.go has R1 to R15 of the README,
// token.go R16 and R17, lease.go R18. R12, the replica that is promoted, is in
// failover_test.go: it needs two servers of Redis.
package ways
