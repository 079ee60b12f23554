package main

import (
	"slices"

	"github.com/revoke-sessions/revoke/proof/model/explore"
)

// A story is who acts and in which circumstances, and what cannot be had then.
type story struct {
	name   string
	model  model
	limits []string
	long   bool
}

var stories = []story{
	{name: "Revoke", model: model{
		actors: []role{request0, request0, request0, revokeIt}, faults: 2, forgets: true}},
	{name: "Revoke, each use prolongs", model: model{
		actors: []role{request0, request0, request0, revokeIt}, faults: 1, forgets: true, idle: true}},
	{name: "RevokeAll", model: model{
		actors: []role{request0, request0, request0, revokesAll}, faults: 2, forgets: true}},
	{name: "RevokeEveryone", model: model{
		actors: []role{request0, request0, request0, revokesEveryone}, faults: 1, forgets: true}},
	{name: "RevokeEveryone, old records deleted", long: true, model: model{
		actors: []role{request0, request0, request0, revokesEveryone}, faults: 1, forgets: true, iterable: true}},
	{name: "Logout", model: model{
		actors: []role{request0, request0, request0, logsOut}, faults: 2, forgets: true}},
	{name: "Revoke, plain write", model: model{
		actors: []role{request0, request0, request0, revokeIt, write0}, faults: 1, forgets: true}},
	{name: "RevokeAll, plain write and renewal", long: true, model: model{
		actors: []role{request0, request1, revokesAll, write0, renewal0}, faults: 2, forgets: true}},
	{name: "RevokeEveryone, plain write and renewal", model: model{
		actors: []role{request0, request1, revokesEveryone, write0, renewal0}, faults: 1, forgets: true}},
	{name: "Revoke, plain renewal", limits: []string{isBackUntagged}, model: model{
		actors: []role{request0, request0, request1, revokeIt, renewal0}, faults: 1, forgets: true}},
	{name: "Revoke, plain write and renewal", limits: []string{isBackUntagged}, model: model{
		actors: []role{request0, request1, revokeIt, write0, renewal0}, faults: 1, forgets: true}},
	{name: "Revoke and RevokeEveryone", long: true, model: model{
		actors: []role{request0, request0, request0, revokeIt, revokesEveryone}, faults: 1, forgets: true}},
	{name: "RevokeAll and RevokeEveryone", long: true, model: model{
		actors: []role{request0, request0, request0, revokesAll, revokesEveryone}, faults: 1, forgets: true}},
	{name: "sign-out on a plain node", limits: []string{isBackPlain}, model: model{
		actors: []role{request0, request0, request0, out0}, faults: 2, forgets: true}},
	{name: "RevokeOthers that keeps it, plain write", model: model{
		actors: []role{request0, request0, request0, revokesOthers, write0}, faults: 2, forgets: true}},
	{name: "Revoke, store lost", long: true, limits: []string{isBackExposed}, model: model{
		actors: []role{request0, request0, request0, revokeIt}, faults: 1, forgets: true, loses: true}},
	{name: "RevokeAll, store lost", long: true, limits: []string{isBackExposed}, model: model{
		actors: []role{request0, request0, request0, revokesAll}, faults: 1, forgets: true, loses: true}},
	{name: "RevokeEveryone, store lost", long: true, limits: []string{isBackExposed}, model: model{
		actors: []role{request0, request0, request0, revokesEveryone}, forgets: true, loses: true}},
	{name: "nobody revokes, plain write", long: true, model: model{
		actors: []role{request0, request0, request0, request0, write0}, faults: 2}},
	{name: "nobody revokes, two plain writes, each use prolongs", model: model{
		actors: []role{request0, request0, request0, write0, write0}, faults: 2, idle: true}},
	{name: "nobody revokes, plain renewal", long: true, model: model{
		actors: []role{request0, request0, request1, request1, renewal0}, faults: 2}},
	{name: "two plain renewals", model: model{
		actors: []role{request0, request1, request2, renewal0, renewal1}, faults: 2}},
	{name: "two plain renewals, each use prolongs", model: model{
		actors: []role{request0, request1, request2, renewal0, renewal1}, faults: 1, idle: true}},
	{name: "two plain renewals, plain write", model: model{
		actors: []role{request0, request1, write1, renewal0, renewal1}, faults: 2}},
	{name: "two plain renewals, Revoke", limits: []string{isBackUntagged}, model: model{
		actors: []role{request0, request2, revokeIt, renewal0, renewal1}, faults: 1, forgets: true}},
	{name: "renewal on a new node, and the old cookie goes on", model: model{
		actors: []role{renewalOnNew, requestRenewed, request0, request1, renewal0}, faults: 1}},
	{name: "limit", model: model{
		actors: []role{request0, request0, request1, request1}, faults: 1, limit: 2, browsers: true}},
	{name: "AdoptUntil", model: model{
		actors: []role{request0, request0, request0, write0}, faults: 2, off: true}},
	{name: "RevokeAll, then a sign-in on a plain node", model: model{
		actors: []role{request1, request1, request1, revokesAll, signIn1}}},
	{name: "RevokeEveryone, then a sign-in on a plain node", model: model{
		actors: []role{request1, request1, request1, revokesEveryone, signIn1}}},
}

// asBefore is all that adoption was without.
var asBefore = rules{asBefore: true, bornLive: true, createsAgain: true, noMark: true}

// A control leaves something out of the protocol, and must break in a story.
type control struct {
	without string
	rules   rules
	story   string
	finds   []string
}

var controls = []control{
	{"as it was before", asBefore, "Revoke", []string{isBackOne, isSignedOut, isPlainOut}},
	{"as it was before", asBefore, "RevokeAll", []string{isBackAll}},
	{"as it was before", asBefore, "RevokeEveryone, old records deleted", []string{isBackAll}},
	{"as it was before", asBefore, "Logout", []string{isBackOne}},
	{"what was created once can be created again", rules{createsAgain: true}, "Revoke", []string{isBackOne}},
	{"RevokeAll leaves no mark", rules{noMark: true}, "RevokeAll", []string{isBackAll}},
	{"RevokeEveryone leaves its mark last", rules{markLast: true}, "RevokeEveryone", []string{isBackAll}},
	{"RevokeEveryone is asked for before Create only", rules{asksOnlyFirst: true}, "RevokeEveryone", []string{isBackAll}},
	{"RevokeEveryone is asked for after Create only", rules{asksOnlyAfter: true}, "RevokeEveryone, then a sign-in on a plain node", []string{isSignInLost}},
	{"Create makes a session that opens", rules{bornLive: true}, "RevokeEveryone", []string{isBackAll}},
	{"all reservations alike", rules{reservationsAlike: true}, "Revoke and RevokeEveryone", []string{isBackOne}},
	{"the tag is written first", rules{tagsFirst: true}, "Revoke", []string{isSignedOut}},
	{"the tag is written first, and may create", rules{tagsFirst: true, taggedCreates: true}, "Revoke, store lost", []string{isBackOne + afterLoss}},
	{"a copy counts as untagged", rules{copiesAreUntagged: true}, "Revoke, plain renewal", []string{isBackTagged}},
	{"a copy comes with the secret of its own token", rules{copiesOwnSecret: true}, "nobody revokes, plain renewal", []string{isSignedOut}},
	{"a tag opens its session whatever the secret", rules{tagWithoutSecret: true}, "renewal on a new node, and the old cookie goes on", []string{isReopened}},
	{"the limit ends first what was not yet seen", rules{unseenIsOldest: true}, "limit", []string{isEvictedUnseen}},
	{"a refusal by a mark deletes the old record", rules{refusalDrops: true}, "RevokeAll, then a sign-in on a plain node", []string{isSignInLost}},
	{"the end of AdoptUntil deletes the old record", rules{refusalDrops: true}, "AdoptUntil", []string{isPlainOut}},
	{"the old record is only read", rules{leave: true}, "RevokeAll, store lost", []string{isBackAll + afterLoss}},
	{"the old record is only read", rules{leave: true}, "Revoke, plain renewal", []string{isBackUntagged}},
	{"the old record loses the user", rules{strip: true}, "Revoke", []string{isPlainOut}},
}

func scenarios() (all []explore.Scenario) {
	for _, s := range stories {
		all = append(all, s.scenario("the protocol", rules{}, s.limits))
	}
	for _, c := range controls {
		s := stories[slices.IndexFunc(stories, func(s story) bool { return s.name == c.story })]
		scenario := s.scenario("control: "+c.without, c.rules, c.finds)
		scenario.Control, scenario.Long = true, false
		all = append(all, scenario)
	}
	return all
}

func (s story) scenario(name string, r rules, finds []string) explore.Scenario {
	m := s.model
	m.rules = r
	return explore.Scenario{
		Rules: name, Name: s.name, Finds: finds, Long: s.long,
		Run: func(until ...string) explore.Result {
			return explore.Run(explore.Model[state]{Start: m.start(), Next: m.next, Wrong: m.wrong}, until...)
		},
	}
}
