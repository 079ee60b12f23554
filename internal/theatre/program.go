package theatre

import (
	"slices"
	"time"
)

var (
	rare       = setting{name: "uses are noted rarely", touchInterval: time.Hour}
	always     = setting{name: "each use is noted"}
	idle       = setting{name: "idle timeout", touchInterval: time.Hour, idleTimeout: 24 * time.Hour}
	idleAlways = setting{name: "idle timeout, each use is noted", idleTimeout: 24 * time.Hour}
	limited    = setting{name: "two sessions a user", maxPerUser: 2}
	hashed     = setting{name: "hashed tokens", touchInterval: time.Hour, hashed: true}
	authorized = setting{name: "leave is asked", authorize: true}
	arrivals   = setting{name: "responses arrive in any order", touchInterval: time.Hour, arrivals: true}
	forgetful  = setting{name: "tombstones are forgotten at once", forgets: true}
	idleAny    = setting{name: "idle timeout, each use is noted, and responses arrive in any order", idleTimeout: 24 * time.Hour, arrivals: true}

	settings = []setting{rare, always, idle, idleAlways, limited, hashed, authorized, arrivals, idleAny, forgetful}
)

// A program is some casts under some settings. The roles of a cast are played at
// the same time.
type program struct {
	name     string
	settings []setting
	casts    [][]role
	within   int  // how many interruptions, if not all orders are run
	long     bool // left out under -short, and by the race detector
}

var programs = []program{
	{
		name:     "two revoke at once",
		settings: []setting{always, limited, authorized},
		casts:    pairs(revocations),
	},
	{
		name:     "three revoke at once",
		settings: []setting{rare, limited},
		casts: [][]role{
			{owner(toRevoke(laptop)), in(phone, toRevoke(laptop)), in(laptop, toRevokeItself)},
			{owner(toRevokeAll), in(phone, toRevokeOthers), in(laptop, toRevokeOthers)},
		},
	},
	{
		name:     "a session is renewed, and used under the new token",
		settings: []setting{rare, always, idleAlways, arrivals, idleAny},
		casts: each(
			[]role{in(laptop, toRenew, toRead), in(laptop, toRenew, toWrite)},
			append(slices.Clone(usual), in(laptop, toProve), in(laptop, toRenew, toRead), in(laptop, toLogOut)),
		),
	},
	{
		name:     "a session is renewed, and the answer is lost",
		settings: []setting{rare, idleAlways, arrivals},
		casts: each(
			[]role{in(laptop, lost(toRenew), toRead), in(laptop, lost(toRenew), toWrite), in(laptop, lost(toRenew), toRenew), in(laptop, lost(toRenew), toLogOut), in(laptop, lost(toRenew), toLogIn(ann))},
			append(slices.Clone(usual), owner(toRevoke(laptop)), owner(toRevokeAll), in(phone, toRevokeOthers)),
		),
	},
	{
		name:     "a sign-in is under way",
		settings: []setting{rare, idleAlways, limited, arrivals, forgetful},
		casts: append(
			each(signIns, append(slices.Clone(revocations), in(laptop, toRenew), in(laptop, toProve), in(laptop, toDestroy), in(laptop, toLogIn(ann)))),
			[]role{owner(toRevokeAll), in(tablet, toSignInAs(ann))},
			[]role{owner(toRevokeAll), in(laptop, toLogIn(ann))},
		),
	},
	{
		name:     "two sessions revoke each other, and one of them is in use",
		settings: []setting{rare},
		casts: each(
			[]role{in(phone, toRevokeOthers)},
			[]role{in(laptop, toRevokeOthers), in(laptop, toRevoke(phone))},
			[]role{in(laptop, toWrite), in(phone, toRenew)},
		),
		long: true,
	},
	{
		name:     "a session is in use, and revoked",
		settings: []setting{rare, always, idle, idleAlways, limited, hashed, authorized, arrivals, idleAny},
		casts:    each(requests, revocations),
	},
	{
		name:     "a session from before revoke came is in use, and revoked",
		settings: []setting{rare, always, idleAlways, limited, hashed},
		casts:    each(old, []role{owner(toRevoke(attic)), owner(toRevokeEveryone), in(phone, toRevokeOthers), in(tablet, toSignInAs(ann))}),
	},
	{
		name:     "a session is in use twice",
		settings: []setting{always, idleAlways, limited},
		casts:    pairs(requests),
	},
	{
		name:     "a session is in use twice, and responses arrive in any order",
		settings: []setting{arrivals, idleAny},
		casts:    append(pairs(usual), each([]role{in(laptop, toProve), in(laptop, toLogIn(ann))}, usual)...),
	},
	{
		name:     "a session is in use twice, and revoked",
		settings: []setting{rare, idleAlways, arrivals},
		casts:    withOne(pairs(usual), owner(toRevoke(laptop)), in(phone, toRevokeOthers)),
		long:     true,
	},
	{
		name:     "a session is in use three times, and revoked",
		settings: []setting{rare},
		casts:    withOne(triples(usual), owner(toRevoke(laptop))),
		long:     true,
	},
	{
		name:     "a session is in use twice, the second time by two requests in turn, and revoked",
		settings: []setting{rare, idleAlways},
		casts: each(
			[]role{in(laptop, toRenew), in(laptop, toSignInAs(ann))},
			[]role{in(laptop, toWrite, toRead), in(laptop, toRenew, toWrite), in(laptop, toSignInAs(ann), toRead)},
			[]role{owner(toRevoke(laptop)), in(phone, toRevokeOthers)},
		),
		long: true,
	},
	{
		name:     "a session is in use, and its browser is signed out and in again",
		settings: []setting{rare, idleAlways, arrivals, idleAny},
		casts:    each(usual, []role{in(laptop, toDestroy, toSignInAs(ann)), in(laptop, toRevokeItself, toSignInAs(bob))}),
	},
	{
		name:     "a session is taken to other browsers, and revoked",
		settings: []setting{rare, idleAlways},
		casts:    withOne(pairs([]role{in(phone, toMerge(laptop)), in(kiosk, toMerge(laptop)), in(laptop, toRenew)}), owner(toRevoke(laptop)), owner(toRevokeAll)),
		long:     true,
	},
	{
		name:     "a visitor signs in, and is active elsewhere",
		settings: []setting{rare, idleAlways, limited, arrivals, idleAny},
		casts: each(
			[]role{in(kiosk, toSignInAs(ann)), in(kiosk, toSignInCarelessly)},
			[]role{in(kiosk, toRead), in(kiosk, toWrite), in(kiosk, toSignInAs(ann)), in(kiosk, toSignInAs(bob)), in(kiosk, toMerge(laptop)), in(kiosk, toDestroy)},
		),
	},
	{
		name:     "more sign in than may",
		settings: []setting{limited},
		casts: each(
			[]role{in(tablet, toSignInAs(ann))},
			[]role{in(kiosk, toSignInAs(ann))},
			[]role{in(laptop, toWrite), in(phone, toRevokeOthers), in(attic, toRead), owner(toRevokeAll)},
		),
		long: true,
	},
	{
		name:     "a session from before revoke came is in use twice",
		settings: []setting{always, arrivals},
		casts:    pairs(append(old, in(kiosk, toMerge(attic)))),
		within:   2,
		long:     true,
	},
	{
		name:     "a session from before revoke came is renewed, and used under the new token",
		settings: []setting{rare, idleAlways, arrivals},
		casts:    each([]role{in(attic, toRenew, toRead)}, []role{in(attic, toRead), in(attic, toWrite)}),
		within:   2,
	},
	{
		name:     "a session from before revoke came is in use twice, and revoked",
		settings: []setting{rare},
		casts:    [][]role{{in(attic, toRead), in(attic, toWrite), owner(toRevoke(attic))}},
		within:   2,
		long:     true,
	},
	{
		name:     "a session from before revoke came is in use twice, and more sign in than may, or all are revoked",
		settings: []setting{limited, forgetful},
		casts: each(
			[]role{in(attic, toRead), in(attic, toRenew)},
			[]role{in(attic, toRead), in(attic, toWrite)},
			[]role{in(tablet, toSignInAs(ann)), owner(toRevoke(attic)), owner(toRevokeAll), owner(toRevokeEveryone)},
		),
		within: 2,
		long:   true,
	},
	{
		name:     "a session from before revoke came is in use, and revoked again and again",
		settings: []setting{forgetful},
		casts:    each([]role{in(attic, toRead), in(attic, toRenew)}, endings, endings),
		within:   2,
		long:     true,
	},
	{
		name:     "tombstones are forgotten",
		settings: []setting{forgetful},
		casts:    append(each(usual, revocations), each(old, endings)...),
	},
	{
		name:     "a call fails in a session",
		settings: []setting{rare, idleAlways},
		casts: each(
			append(slices.Clone(usual), in(laptop, toProve), in(laptop, toLogIn(ann)), in(laptop, toSignInAs(bob)), in(laptop, toRevokeOthers), in(laptop, toReset), in(laptop, toRenew, toRead)),
			faults,
			[]role{owner(toRevoke(laptop)), owner(toRevokeAll), in(phone, toRevokeOthers), in(laptop, toWrite)},
		),
		within: 2,
		long:   true,
	},
	{
		name:     "a call fails while a session from before revoke came is in use",
		settings: []setting{forgetful},
		casts:    each(old, faults, append(slices.Clone(endings), in(attic, toRead))),
		within:   2,
		long:     true,
	},
	{
		name:     "nodes of plain scs are left",
		settings: []setting{rare, idleAlways},
		casts:    beside(old, plainly),
		within:   3,
	},
	{
		name:     "everyone is revoked while a session from before revoke came is adopted twice",
		settings: []setting{forgetful},
		casts:    [][]role{{in(attic, toRead), in(attic, toRead), owner(toRevokeEveryone)}},
		within:   3,
		long:     true,
	},
	{
		name:     "nodes of plain scs renew tokens",
		settings: []setting{rare},
		casts: each(
			[]role{inTurns(attic, toRead, toRenew, toRead, toRenew, toRead), inTurns(attic, toWrite, toRenew, toRenew, toRenew, toRead)},
			append(slices.Clone(faults), in(attic, toRead), owner(toRevoke(attic)), owner(toRevokeAll), in(laptop, toWrite)),
		),
		within: 2,
	},
	{
		name:     "nodes of plain scs are left, and sessions are revoked",
		settings: []setting{forgetful},
		casts:    withOne(beside(old, plainly), endings...),
		within:   2,
		long:     true,
	},
}
