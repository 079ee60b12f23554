// Package interleaving has the tests of package theatre, which runs small programs of
// requests and revocations in every order in which the calls of their stores can be
// made. Its documentation says how, and what is asked for in the end.
//
// TestEveryInterleaving plays all programs over the store in memory and finds nothing
// wrong. TestInterleavingOnRedis plays a part of them over a real Redis; the module
// store/sqlstore does the same over databases. TestInterleavingOfPlainSCS plays casts
// over plain scs, without revoke, and finds each way back. TestInterleavingFindsDefects
// gives the store a defect, and finds each. The last two show that the others would
// find something.
//
//	go test ./test/interleaving          all of it
//	go test -short ./test/interleaving   without the programs that take long
//	go test -race ./test/interleaving    likewise, and without the defects
//	go test -v -run TestEveryInterleaving/with/idle_timeout$ ./test/interleaving
//
// Leases have a small theatre of their own, in lease_test.go: processes that remember which
// sessions are live, and the time.
package interleaving
