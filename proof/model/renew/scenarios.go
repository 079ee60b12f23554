package main

import (
	"slices"

	"github.com/revoke-sessions/revoke/proof/model/explore"
)

// A story is what is under way at once, and what cannot be had then.
type story struct {
	name   string
	model  model
	limits []string
}

var stories = []story{
	{name: "write, renewal, reads", model: model{does: []uint8{writes, renews, reads, reads}, faults: 1, losses: 1}},
	{name: "write, renewals, nothing lost", model: model{does: []uint8{writes, renews, renews, reads}}},
	{name: "write, renewals", model: model{does: []uint8{writes, renews, renews, reads}, faults: 1, losses: 1}},
	{name: "three renewals", model: model{does: []uint8{renews, renews, renews, reads}, faults: 1, losses: 2}},
	{name: "two writes, renewal", model: model{does: []uint8{writes, writes, renews, reads}, faults: 1, losses: 1}},
	{name: "logout", model: model{does: []uint8{writes, renews, logsOut, reads}, faults: 1, losses: 1}},
	{name: "Revoke", model: model{does: []uint8{writes, renews, revokes, reads}, faults: 1, losses: 1}},
	{name: "proof", model: model{does: []uint8{writes, writes, proves, reads}}},
	{name: "proof and renewal at once", limits: []string{isSignedOut}, model: model{does: []uint8{writes, proves, renews, reads}}},
	{name: "proof and renewal, one after the other", limits: []string{isSignedOut}, model: model{does: []uint8{writes, proves, renews, reads}, calm: true}},
	{name: "two proofs", limits: []string{isSignedOut}, model: model{does: []uint8{writes, proves, proves, writes}}},
	{name: "proof and logout", model: model{does: []uint8{writes, proves, logsOut, reads}}},
	{name: "thief, renewal", model: model{does: []uint8{thiefReads, renews, reads, reads}, faults: 1, losses: 1}},
	{name: "thief, proof", model: model{does: []uint8{thiefReads, thiefReads, proves, reads}}},
	{name: "thief renews", limits: []string{isThief}, model: model{does: []uint8{thiefRenews, thiefReads, reads, writes}, faults: 1, losses: 1}},
	{name: "thief renews too", limits: []string{isThief}, model: model{does: []uint8{thiefRenews, renews, reads, reads}, losses: 1}},
}

// A control changes a rule, and must break in a story.
type control struct {
	without string
	rules   rules
	story   string
	finds   []string
}

var controls = []control{
	{"as it was before: only the newest token opens", rules{newestOnly: true}, "write, renewal, reads", []string{isSignedOut}},
	{"the token before renews again at once", rules{againAtOnce: true}, "write, renewals, nothing lost", []string{isSignedOut}},
	{"the token before renews again at once, and all that are pending open", rules{againAtOnce: true, both: true}, "three renewals", []string{isSignedOut}},
	{"only who holds the token before waits a minute", rules{prevWaits: true}, "write, renewals, nothing lost", []string{isSignedOut}},
	{"who holds the token before never renews", rules{never: true}, "write, renewals", []string{isStuck}},
	{"writes are conditional on the secret that came", rules{byPresented: true}, "write, renewals", []string{isDropped}},
	{"every write stores Prev as it was loaded", rules{restores: true}, "write, renewal, reads", []string{isOldOpens}},
	{"the first use is not written", rules{useUnnoted: true}, "write, renewal, reads", []string{isOldOpens}},
	{"a renewal with proof stores no Prev", rules{provenForgets: true}, "proof", []string{isSignedOut}},
	{"a renewal with proof leaves Prev open", rules{provenPends: true}, "thief, proof", []string{isElevated}},
	{"Update lets a retired token renew", rules{retiredRenews: true}, "thief renews too", []string{isRevived}},
	{"a tombstone keeps no Prev", rules{tombstoneBare: true}, "Revoke", []string{isUntold}},
	{"a sign-out with a retired token ends nothing", rules{retiredLogsOut: true}, "logout", []string{isLiving}},
}

func scenarios() (all []explore.Scenario) {
	for _, s := range stories {
		all = append(all, s.scenario("the protocol", rules{}, s.limits))
	}
	for _, c := range controls {
		s := stories[slices.IndexFunc(stories, func(s story) bool { return s.name == c.story })]
		scenario := s.scenario("control: "+c.without, c.rules, c.finds)
		scenario.Control = true
		all = append(all, scenario)
	}
	return all
}

func (s story) scenario(name string, r rules, finds []string) explore.Scenario {
	m := s.model
	m.rules = r
	return explore.Scenario{
		Rules: name, Name: s.name, Finds: finds,
		Run: func(until ...string) explore.Result {
			return explore.Run(explore.Model[state]{Start: m.start(), Next: m.next, Wrong: m.wrong}, until...)
		},
	}
}
