package main

import (
	"fmt"

	"github.com/revoke-sessions/revoke/proof/model/explore"
)

// A story is a sign-in, and what cannot be had with it.
type story struct {
	name   string
	model  model
	limits []string
}

var stories = []story{
	{name: "Login without a cookie", model: model{proof: login}},
	{name: "Login in a session of the user's", model: model{cookie: true, proof: login}},
	{name: "Login as another user", model: model{cookie: true, proof: login, other: true}},
	{name: "Login after RevokeAll in the same request", limits: []string{isLaundered}, model: model{cookie: true, proof: login, ownAll: true}},
	{name: "Reauthenticated", model: model{cookie: true, proof: reauthenticated}},
	{name: "RenewToken without a cookie", model: model{}},
	{name: "RenewToken in a session of the user's", model: model{cookie: true}},
	{name: "RenewToken as another user", model: model{cookie: true, other: true}},
}

var revokers = [][2]uint8{{revokeX, revokeAll}, {revokeX, renewalOfX}, {revokeAll, renewalOfX}, {revokeAll, revokeAll}}

// A control changes a rule, and must break in a story, with some revokers.
type control struct {
	without  string
	rules    rules
	story    int
	revokers int
	finds    []string
}

var controls = []control{
	{"as it was before", asBefore, 0, 0, []string{isOutliving}},
	{"as it was before", asBefore, 1, 1, []string{isRefused, isSilent}},
	{"as it was before", asBefore, 2, 0, []string{isRefused}},
	{"as it was before", asBefore, 7, 0, []string{isGoingOn}},
	{"RevokeAll leaves no mark", rules{noMark: true}, 0, 0, []string{isOutliving}},
	{"a sign-in begins at Create", rules{beginsLate: true}, 0, 0, []string{isOutliving}},
	{"the request's own RevokeAll counts against it", rules{ownCounts: true}, 3, 1, []string{isRefused}},
	{"a proved sign-in goes with its session", rules{staysDropped: true}, 1, 1, []string{isRefused}},
	{"a sign-in as another user goes with the session", rules{otherDropped: true}, 2, 0, []string{isRefused}},
	{"another user goes on without proof", rules{unguarded: true}, 7, 0, []string{isGoingOn}},
	{"what is dropped is not said", rules{silent: true}, 1, 0, []string{isSilent}},
	{"another user's sign-in leaves the session", rules{keepsX: true}, 2, 1, []string{isBeside}},
	{"the node's clock is ahead", rules{clockAhead: 3}, 0, 0, []string{isOutliving}},
}

func scenarios() (all []explore.Scenario) {
	for _, s := range stories {
		for _, r := range revokers {
			limits := s.limits
			if r[0] != revokeAll && r[1] != revokeAll {
				limits = nil
			}
			all = append(all, s.scenario("the protocol", rules{}, r, limits))
		}
	}
	for _, c := range controls {
		scenario := stories[c.story].scenario("control: "+c.without, c.rules, revokers[c.revokers], c.finds)
		scenario.Control = true
		all = append(all, scenario)
	}
	return all
}

func (s story) scenario(name string, r rules, revokers [2]uint8, finds []string) explore.Scenario {
	m := s.model
	m.rules, m.revokers, m.faults = r, revokers, 1
	return explore.Scenario{
		Rules: name, Name: fmt.Sprintf("%s, %s, %s", s.name, revokerNames[revokers[0]], revokerNames[revokers[1]]), Finds: finds,
		Run: func(until ...string) explore.Result {
			return explore.Run(explore.Model[state]{Start: m.start(), Next: m.next, Wrong: m.wrong}, until...)
		},
	}
}
