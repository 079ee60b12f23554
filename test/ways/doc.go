// Package ways tries each way in which a session that was ended would come back,
// R1 to R15 of the README, over real HTTP and on every store.
//
//	go test ./test/ways -run 'TestRevokedStaysRevoked$/R5/redis'
//	go test ./test/ways -tags plainscs -run 'PlainSCS'   # the same over plain scs
//
// A way is a line of the list in list_test.go. It is tried in a trial, which is
// an application with one user: the way brings a request to where it would do
// harm, has the session ended, and lets the request go on. After that no token
// that was ever issued may open anything. R12, the replica that is promoted, is
// in failover_test.go: it needs two servers of Redis.
package ways
