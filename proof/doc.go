// Package proof puts revoke to the test as it is deployed: several server
// processes over one real Redis, and clients that speak HTTP.
//
// Its tests check that what the clients saw is linearizable; the command soak
// keeps the servers at full speed for as long as it is told.
package proof
