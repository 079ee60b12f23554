package main

// Tokens are numbered. 0 is the old cookie; 1 and 2 are what renewals on nodes of
// plain scs make of it, one after the other. A session has the number of the token
// that it was adopted by. renewed is the token of a renewal on a new node.
const (
	renewed = 3
	nobody  = 9  // no token
	nonces  = 10 // and above: the secrets of reservations
)

// A visitor is a record of the visitors' store.
type visitor struct {
	Kind    uint8
	ID, Key uint8 // if tagged: the session, and the token whose secret the tag carries
}

const (
	nothing  = iota
	untagged // names the user
	tagged   // names the user, and the session that it was adopted as
	pointer  // names nobody; what other designs leave
)

// A session is a record of the session store.
type session struct {
	Kind         uint8
	Secret, Prev uint8 // tokens, or a nonce
	Used         bool  // Secret has been used since it took the place of Prev
	Seen         uint8 // rank of its last use; zero if there was none yet
}

const (
	none     = iota
	reserved // created, and not yet filled with its data: it opens to nobody
	live
)

// opens reports whether a token opens the session.
func (r session) opens(token uint8) bool {
	return r.Kind == live && (r.Secret == token || r.Prev == token && !r.Used)
}

const (
	maxActors = 5
	maxLate   = 2
)

// A state is one moment: both stores, what every actor is at, and what the outside
// world has seen so far.
type state struct {
	Visitors [3]visitor // by token

	Sessions       [3]session
	Tombstone      [3]bool
	Once           [3]bool // it was created
	Mark, Everyone bool    // of RevokeAll, of RevokeEveryone
	Nonces         uint8   // how many were given out
	Uses           uint8   // highest rank of a use; counted only if there is a limit

	Actors [maxActors]actor
	Late   [maxLate]write // writes that failed and are to take effect
	Faults uint8          // how many may still come
	Off    bool           // AdoptUntil has come

	Cookie    uint8 // what the owner's browser holds
	Revoked   bool  // a revocation of session 0 was answered
	Ended     bool  // one of all the user's sessions was answered
	PlainOut  bool  // a sign-out on a plain node was answered
	Excused   bool  // somebody ends sessions, or plain scs loses one: the owner may be signed out
	SignedIn  bool  // after Ended, a plain node has signed the user in under token 1
	NewCookie bool  // the token of a renewal on a new node was used
	Opened    bool  // session 0 was opened
	Lost      uint8 // the session store was lost
	Tainted   bool  // what was created since comes from a request that was under way then
	Wrong     wrong
}

const (
	lost    = 1 + iota // of a session that was adopted
	exposed            // before the old record was tagged
)

// An actor is a request, on a new node or on one of plain scs, or a call that ends
// sessions.
type actor struct {
	PC      uint8
	Visitor visitor // as it was read
	Copy    bool    // it was tagged then
	ID      uint8
	Was     uint8 // the secret as it was found
	Across  bool  // it was under way when the session store was lost
	After   bool  // it began after a plain node had answered a sign-out
}

// wrong is a violation that the last step made.
type wrong uint8

const (
	backOne wrong = 1 + iota
	backAll
	backTagged
	backUntagged
	backPlain
	backLost // and above: the same after a loss of the session store
)

const (
	backExposed wrong = 50 + iota
	overwritten
	reopened
	evictedUnseen
)

func (w wrong) String() string {
	if w > backLost && w < backExposed {
		return (w - backLost).String() + afterLoss
	}
	return map[wrong]string{
		backOne:       isBackOne,
		backAll:       isBackAll,
		backTagged:    isBackTagged,
		backUntagged:  isBackUntagged,
		backPlain:     isBackPlain,
		backExposed:   isBackExposed,
		overwritten:   isOverwritten,
		reopened:      isReopened,
		evictedUnseen: isEvictedUnseen,
	}[w]
}

// What may be found.
const (
	isBackOne       = "back after Revoke or a sign-out"
	isBackAll       = "back after RevokeAll, RevokeOthers or RevokeEveryone"
	isBackTagged    = "back after Revoke, by a plain node's renewal of a tagged record"
	isBackUntagged  = "back after Revoke, by a plain node's renewal of an untagged record"
	isBackPlain     = "back after a sign-out on a plain node"
	isBackExposed   = "back after a loss of the store, by a record or a request from before its tag"
	isOverwritten   = "adoption overwrites what was saved since"
	isReopened      = "an old cookie opens a session after the token of a renewal on a new node was used"
	isEvictedUnseen = "the limit ends a session that is being adopted, and keeps one that was used before it"
	isSignedOut     = "signed out on new nodes, and nobody has revoked"
	isPlainOut      = "signed out on plain nodes, and nobody has revoked"
	isSignInLost    = "a new node ends a sign-in of a plain node on that plain node"

	afterLoss = ", after a loss of the store"
)
