package theatre

// requests are what can be under way in a session, the laptop's.
var requests = []role{
	in(laptop, toRead),
	in(laptop, toWrite),
	in(laptop, toRenew),
	in(laptop, toProlong),
	in(laptop, toProve),
	in(laptop, toSignInAs(ann)),
	in(laptop, toSignInAs(bob)),
	in(laptop, toRename),
	in(laptop, toDestroy),
	in(laptop, toLogOut),
	in(laptop, toForget),
	in(laptop, toPanic),
	in(laptop, toHijack),
	in(laptop, toStream),
	in(laptop, toCommitLate),
	in(laptop, toRenewLate),
	in(laptop, toRevokeItself),
	in(phone, toMerge(laptop)),
	in(kiosk, toMerge(laptop)),
	in(desk, toMerge(laptop)),
}

// usual are those that most applications have.
var usual = []role{
	in(laptop, toRead),
	in(laptop, toWrite),
	in(laptop, toRenew),
	in(laptop, toSignInAs(ann)),
	in(laptop, toDestroy),
}

// revocations are how a session is ended by others, or is not.
var revocations = []role{
	owner(toRevoke(laptop)),
	owner(toRevokeAll),
	owner(toRevokeEveryone),
	in(phone, toRevoke(laptop)),
	in(phone, toRevokeOthers),
	in(laptop, toRevokeOthers),
	in(desk, toRevoke(laptop)), // bob has no such session
	in(tablet, toSignInAs(ann)),
}

// signIns are under way while sessions are revoked.
var signIns = []role{
	in(kiosk, toLogIn(ann)),
	in(laptop, toLogIn(ann)),
	in(laptop, toLogIn(bob)),
	in(kiosk, toReset),
	in(laptop, toReset),
	in(tablet, toSignInAs(ann)),
}

// plainly are what can be under way on a node of plain scs in such a session.
var plainly = []role{
	onPlain(attic, toRead),
	onPlain(attic, toWrite),
	onPlain(attic, toRenew),
	onPlain(attic, toDestroy),
	onPlain(tablet, toSignInAs(ann)),
}

// endings are how such a session is ended, on a node of revoke.
var endings = []role{
	owner(toRevoke(attic)),
	owner(toRevokeAll),
	owner(toRevokeEveryone),
	in(phone, toRevokeOthers),
}

var faults = []role{aCall(fails), aCall(answerIsLost), aCall(comesLate)}

// old are what can be under way in a session from before revoke came.
var old = []role{
	in(attic, toRead),
	in(attic, toWrite),
	in(attic, toRenew),
	in(attic, toDestroy),
}
