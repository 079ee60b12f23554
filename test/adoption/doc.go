// Package adoption tests what becomes of the sessions that were signed in before
// revoke came: nobody is signed out by a deployment, a rolling one or a rollback, and
// no revocation leaves an old cookie open.
//
//	deployment_test.go  a node of plain scs and a new one over one visitors' store
//	adoption_test.go    who was signed in stays so
//	at_once_test.go     also if many requests adopt at a time
//	revoked_test.go     and who was revoked does not come back
package adoption
