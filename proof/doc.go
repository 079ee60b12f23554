// Package proof puts revoke to the test as it is deployed: several server
// processes over one real Redis, PostgreSQL or SQLite, and clients that speak HTTP.
//
// Its tests check that what the clients saw is linearizable, of browsers, of apps that
// keep their tokens themselves, and of services that ask whether sessions are live. The
// command soak keeps the servers at full speed over Redis for as long as it is told.
//
// The folders lease and accesstokens attack the answers from memory of package store, as
// it gives them itself and as a service gives them that takes access tokens, with two
// processes of which one is stopped.
//
// The models in the folder model visit every state that the protocol of adoption,
// renewal and sign-in can reach, and tell how each of its rules is missed.
package proof
