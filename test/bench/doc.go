// Package bench measures revoke beside plain scs.
//
//	go test -run '^$' -bench . -benchmem ./test/bench
package bench
