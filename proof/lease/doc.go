// Package lease puts the leases of package store to the test in two processes over one
// real Redis: one says yes from memory, as fast as it can, and the other revokes. No yes
// may be given to a check that began after the revocation was answered, also if the
// process that asks is stopped (SIGSTOP) and let go on.
//
// Three controls show that the check finds something: each breaks one part of the rule,
// and has to be caught.
package lease
