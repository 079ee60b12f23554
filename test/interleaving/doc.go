// Package interleaving runs small programs of requests and revocations in every
// order in which the calls of their stores can be made, and checks that a session
// that was ended never comes back.
//
// It plays theatre. One application is the stage, and what happens there is a
// list of small scenes:
//
//	browsers      laptop     phone      desk       kiosk      tablet     attic
//	signed in     ann        ann        bob        a visitor  nobody     ann, since before
//	                                               with cart             revoke came
//
//	act           what a handler does: toRead, toWrite, toRenew, toRevoke(laptop) …
//	role          who does it: in(laptop, toWrite), owner(toRevoke(laptop))
//	cast          the roles that are played at the same time
//	program       a list of casts
//	setting       how the application is configured: idle timeout, limit, …
//	stage         the application in one setting
//	scene         one cast, played in one order
//	exchange      a request and its response, in a scene
//
//	   cast { in(laptop, toWrite), owner(toRevoke(laptop)) }
//	     │
//	     │   package interleave chooses who takes the next step
//	     ▼
//	   laptop  ──●─────────────────────●──────────▶  exchange ─┐
//	             load                  write                   │  operations
//	   owner   ─────────────●─────────────────────▶  answer ───┤
//	                        revoke                             ▼
//	           ╞══ steps: the calls of both stores ══╡      check
//
// A step ends at each call of the session store and of the visitors' store
// (steppedStore, steppedVisitors). Between two steps nobody else acts, so that
// all orders of the steps are all that can happen. For each of them the scene is
// played anew, from the same opening.
//
// While a scene is played it notes every cookie that was issued, and every
// operation: what was done to sessions, in which steps, with what answer. At its
// end check tries each cookie and asks:
//
//   - Does a cookie open a session whose end was answered?
//   - Is the data of such a session in another one?
//   - Is there an order of the operations, one at a time, that explains all the
//     answers and what is left? That is linearizability.
//   - Does a browser still hold the cookie of each session that lives?
//
// # Which test shows what
//
// TestEveryInterleaving plays all programs and finds nothing wrong.
// TestInterleavingOfPlainSCS plays casts over plain scs, without revoke, and finds
// each way back. TestInterleavingFindsDefects gives the store a defect, and finds
// each. The last two show that the first would find something.
//
//	go test ./test/interleaving          all of it
//	go test -short ./test/interleaving   without the programs that take long
//	go test -race ./test/interleaving    likewise, and without the defects
//	go test -v -run TestEveryInterleaving/with/idle_timeout$ ./test/interleaving
//
// A failure is told as a story, the one with the fewest steps:
//
//	request A loads the session · the owner revokes it · request A writes 'cart' ·
//	the old cookie opens /me again
//
// # Where to find it
//
//	program_test.go       settings, roles, programs: add one here
//	act_test.go           the acts
//	stage_test.go         the application, its opening, and how a cast is played
//	scene_test.go         what a scene knows; roles
//	exchange_test.go      a request, its handler, its response and its cookie
//	store_test.go         the stores whose calls are steps
//	check_test.go         what holds at the end of a scene
//	order_test.go         operations, and the search for an order of them
//	defect_test.go        the defects
//	plainscs_test.go      the same over plain scs
package interleaving
