package revoke_test

import (
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/interleave"
)

// How many orders TestEveryInterleaving must have run.
const leastOrders, leastOrdersShort = 100_000, 20_000

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
var requests = []part{
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
var usual = []part{
	in(laptop, toRead),
	in(laptop, toWrite),
	in(laptop, toRenew),
	in(laptop, toSignInAs(ann)),
	in(laptop, toDestroy),
}

// revocations are how a session is ended by others, or is not.
var revocations = []part{
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
var old = []part{
	in(attic, toRead),
	in(attic, toWrite),
	in(attic, toRenew),
	in(attic, toDestroy),
}

// A program is some casts, each of whose parts are played at once.
type program struct {
	name     string
	settings []setting
	casts    [][]part
	long     bool // not run under -short
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
		casts: [][]part{
			{owner(toRevoke(laptop)), in(phone, toRevoke(laptop)), in(laptop, toRevokeItself)},
			{owner(toRevokeAll), in(phone, toRevokeOthers), in(laptop, toRevokeOthers)},
		},
	},
	{
		name:     "two sessions revoke each other, and one of them is in use",
		settings: []setting{rare},
		casts: each(
			[]part{in(phone, toRevokeOthers)},
			[]part{in(laptop, toRevokeOthers), in(laptop, toRevoke(phone))},
			[]part{in(laptop, toWrite), in(phone, toRenew)},
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
		casts:    each(old, []part{owner(toRevoke(attic)), owner(toRevokeEveryone), in(phone, toRevokeOthers), in(tablet, toSignInAs(ann))}),
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
			[]part{in(laptop, toRenew), in(laptop, toSignInAs(ann))},
			[]part{in(laptop, toWrite, toRead), in(laptop, toRenew, toWrite), in(laptop, toSignInAs(ann), toRead)},
			[]part{owner(toRevoke(laptop)), in(phone, toRevokeOthers)},
		),
		long: true,
	},
	{
		name:     "a session is in use, and its browser is signed out and in again",
		settings: []setting{rare, idleAlways, arrivals, idleAny},
		casts:    each(usual, []part{in(laptop, toDestroy, toSignInAs(ann)), in(laptop, toRevokeItself, toSignInAs(bob))}),
	},
	{
		name:     "a session is taken to other browsers, and revoked",
		settings: []setting{rare, idleAlways},
		casts:    withOne(pairs([]part{in(phone, toMerge(laptop)), in(kiosk, toMerge(laptop)), in(laptop, toRenew)}), owner(toRevoke(laptop)), owner(toRevokeAll)),
		long:     true,
	},
	{
		name:     "a visitor signs in, and is active elsewhere",
		settings: []setting{rare, idleAlways, limited, arrivals, idleAny},
		casts: each(
			[]part{in(kiosk, toSignInAs(ann)), in(kiosk, toSignInCarelessly)},
			[]part{in(kiosk, toRead), in(kiosk, toWrite), in(kiosk, toSignInAs(ann)), in(kiosk, toSignInAs(bob)), in(kiosk, toMerge(laptop)), in(kiosk, toDestroy)},
		),
	},
	{
		name:     "more sign in than may",
		settings: []setting{limited},
		casts: each(
			[]part{in(tablet, toSignInAs(ann))},
			[]part{in(kiosk, toSignInAs(ann))},
			[]part{in(laptop, toWrite), in(phone, toRevokeOthers), in(attic, toRead), owner(toRevokeAll)},
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
		casts:    [][]part{{in(attic, toRead), in(attic, toWrite), owner(toRevoke(attic))}},
		long:     true,
	},
}

// TestEveryInterleaving runs each program in every order in which the calls of
// its stores can be made.
func TestEveryInterleaving(t *testing.T) {
	// Hardly anything outlives an order, so that to collect more at once is faster.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var orders atomic.Int64
	t.Run("with", func(t *testing.T) {
		for _, how := range settings {
			t.Run(how.name, func(t *testing.T) {
				t.Parallel()
				orders.Add(newStage(t, how, nil).playAll(t))
			})
		}
	})
	least := int64(leastOrders)
	if testing.Short() {
		least = leastOrdersShort
	}
	if t.Logf("%d orders", orders.Load()); orders.Load() < least {
		t.Errorf("%d orders are fewer than %d", orders.Load(), least)
	}
}

// playAll plays the programs that are for the setting, and returns in how many
// orders.
func (s *stage) playAll(t *testing.T) (orders int64) {
	for _, p := range programs {
		if p.long && testing.Short() || !slices.Contains(p.settings, s.setting) {
			continue
		}
		for _, cast := range p.casts {
			result := interleave.All(s.play(cast))
			if orders += int64(result.Orders); result.Failure != nil {
				t.Errorf("%s: %s: %d of %d orders fail:\n%v", p.name, does(cast), result.Failed, result.Orders, result.Failure)
			}
		}
	}
	return orders
}

func does(cast []part) string {
	var all []string
	for _, p := range cast {
		all = append(all, p.does)
	}
	return strings.Join(all, ", ")
}

// each returns the casts that have one part of each list.
func each(lists ...[]part) [][]part {
	casts := [][]part{nil}
	for _, list := range lists {
		casts = withOne(casts, list...)
	}
	return casts
}

// withOne returns the casts, each with one more part.
func withOne(casts [][]part, more ...part) (all [][]part) {
	for _, cast := range casts {
		for _, p := range more {
			all = append(all, append(slices.Clone(cast), p))
		}
	}
	return all
}

// pairs returns the casts that have two parts of a list, or one twice.
func pairs(list []part) (casts [][]part) {
	for i, p := range list {
		casts = append(casts, each([]part{p}, list[i:])...)
	}
	return casts
}

// triples returns the casts that have three parts of a list, or one repeatedly.
func triples(list []part) (casts [][]part) {
	for i, p := range list {
		for _, pair := range pairs(list[i:]) {
			casts = append(casts, append([]part{p}, pair...))
		}
	}
	return casts
}
