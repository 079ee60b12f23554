// Package faults shows what an application does while its store fails, Redis is in
// trouble, or a client hangs up: nothing is claimed that did not happen, nobody
// loses a session by it, and all works again when it is over.
//
//	go test ./test/faults -run TestRedisFaults/stalled
//
// Most of it needs a real redis-server, and waits for it.
package faults
