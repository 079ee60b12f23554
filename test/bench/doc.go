// Package bench measures revoke beside plain scs, under scs's own codec and under
// revoke's.
//
//	go test ./test/bench -run '^$' -bench Table               # docs/performance.md, in five minutes
//	go test ./test/bench -run '^$' -bench . -skip Table -benchmem
//	.ci/bench                                                 # this commit and the one before
package bench
