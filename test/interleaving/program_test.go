package interleaving

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
	idleAny    = setting{name: "idle timeout, each use is noted, and responses arrive in any order", idleTimeout: 24 * time.Hour, arrivals: true}

	settings = []setting{rare, always, idle, idleAlways, limited, hashed, authorized, arrivals, idleAny}
)

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

// old are what can be under way in a session from before revoke came.
var old = []role{
	in(attic, toRead),
	in(attic, toWrite),
	in(attic, toRenew),
	in(attic, toDestroy),
}

// A program is some casts under some settings. The roles of a cast are played at
// the same time.
type program struct {
	name     string
	settings []setting
	casts    [][]role
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
		settings: settings,
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
		casts:    pairs(usual),
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
		long:     true,
	},
	{
		name:     "a session from before revoke came is in use twice, and revoked",
		settings: []setting{rare},
		casts:    [][]role{{in(attic, toRead), in(attic, toWrite), owner(toRevoke(attic))}},
		long:     true,
	},
}

// each returns the casts that have one role of each list.
func each(lists ...[]role) [][]role {
	casts := [][]role{nil}
	for _, list := range lists {
		casts = withOne(casts, list...)
	}
	return casts
}

// withOne returns the casts, each with one more role.
func withOne(casts [][]role, more ...role) (all [][]role) {
	for _, cast := range casts {
		for _, p := range more {
			all = append(all, append(slices.Clone(cast), p))
		}
	}
	return all
}

// pairs returns the casts that have two roles of a list, or one twice.
func pairs(list []role) (casts [][]role) {
	for i, p := range list {
		casts = append(casts, each([]role{p}, list[i:])...)
	}
	return casts
}

// triples returns the casts that have three roles of a list, or one repeatedly.
func triples(list []role) (casts [][]role) {
	for i, p := range list {
		for _, pair := range pairs(list[i:]) {
			casts = append(casts, append([]role{p}, pair...))
		}
	}
	return casts
}
