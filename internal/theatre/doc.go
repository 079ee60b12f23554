// Package theatre runs small programs of requests and revocations in every
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
//	role          who does it: in(laptop, toWrite), owner(toRevoke(laptop)),
//	              onPlain(attic, toWrite), aCall(comesLate)
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
// played anew, from the same opening. To adopt a session takes ten steps: programs
// that do so more than once say how many interruptions of a role are enough.
//
// Some roles are none of the application's. A node of plain scs serves requests over
// the same visitors' store, and knows of no revocation (onPlain). A call of a store
// fails: without effect, or with an effect of which nobody is told, or with one that
// comes at any time after the call was given up on (aCall). The answer to a request
// may be lost (lost). In one setting the store forgets each tombstone at once.
//
// While a scene is played it notes every cookie that was issued, and every
// operation: what was done to sessions, in which steps, with what answer. At its
// end check tries each cookie and asks:
//
//   - Does a cookie open a session whose end was answered? Does a token that the
//     holder of an old cookie can make of it?
//   - Does the cookie before a renewal open the session though the new one was used?
//   - Is the data of such a session in another one?
//   - Is there an order of the operations, one at a time, that explains all the
//     answers and what is left? That is linearizability.
//     A request that was refused must have had a reason: its session had ended, or
//     all were revoked after it arrived. What a call that failed has done is unknown.
//   - Does a browser still hold the cookie of each session that lives?
//
// Some things cannot be had, and are not asked for. A renewal on a node of plain scs
// is a new sign-in to the others, unless the record says that it was adopted. If a
// session is adopted, or used under an idle timeout, while a node of plain scs renews it,
// the old cookie may open it as well. If a session is renewed on nodes of both kinds at
// once, the browser keeps the cookie that arrives last. If it is renewed twice while a
// request is under way, the response to that request may bring the cookie of a visitor.
// Under an idle timeout the response to a request with an old cookie sets that cookie
// again, and if it was renewed meanwhile may put it back.
//
// The tests are in test/interleaving, which says what each of them shows.
//
// A failure is told as a story, the one with the fewest steps:
//
//	request A loads the session · the owner revokes it · request A writes 'cart' ·
//	the old cookie opens /me again
//
// # Where to find it
//
//	program.go       settings, programs: add one here
//	role.go          lists of roles
//	cast.go          casts from lists of roles
//	act.go           the acts; also act_signin.go, act_revoke.go
//	stage.go         the application, its opening, and how a cast is played
//	scene.go         what a scene knows; roles
//	exchange.go      a request, its handler, its response and its cookie
//	outcome.go       what a request has done, given its answer
//	node.go          nodes of plain scs
//	store.go         the stores whose calls are steps
//	onstore.go       what is played on a real store
//	fault.go         calls that fail
//	forget.go        a store that forgets
//	check.go         what holds at the end of a scene
//	order.go         operations, and the search for an order of them
//	set.go           sets of sessions
//	told.go          the operations in words
//	token.go         clients that keep their tokens themselves
//	defect.go        the defects; spoiled.go
//	plainscs.go      the same over plain scs
package theatre
