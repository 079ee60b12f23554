package storetest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke/store"
)

// flaws are what can be wrong with a store, and the cases that find it out.
var flaws = map[string][]string{
	"": nil,

	"Create drops a time":              {"Create/keeps every field"},
	"Create overwrites a live session": {"Create/refuses the id of a live session"},
	"Create overwrites a tombstone":    {"Create/refuses the id of a tombstone"},
	"Create evicts before it refuses":  {"Create/refuses the id of a live session", "Create/refuses the id of a tombstone"},
	"Create looks first":               {"Race/of creates of one id"},

	"a limit of zero allows none":              {"Limit/none evicts nothing"},
	"the limit counts the new session twice":   {"Limit/not exceeded evicts nothing"},
	"the limit does not count the new session": {"Limit/evicts the least recently seen"},
	"evicts the oldest sign-in":                {"Limit/evicts the least recently seen"},
	"evictions do not say by which session":    {"Limit/evicts the least recently seen"},
	"Touch leaves the order of eviction":       {"Limit/goes by what Touch recorded"},
	"Update leaves the order of eviction":      {"Limit/goes by what Update recorded"},
	"ranks by the millisecond":                 {"Limit/tells microseconds apart"},
	"evicts the new session":                   {"Limit/never evicts the new session"},
	"evicts one at most":                       {"Limit/evicts all that are beyond"},
	"the limit counts tombstones":              {"Limit/counts no tombstones"},
	"the limit counts every user":              {"Limit/concerns one user"},
	"the limit counts expired sessions":        {"Expiry/counts towards no limit"},
	"the limit is counted first":               {"Race/of creates under a limit"},

	"ids fold case":               {"Find/of the unknown", "Value/ids of odd bytes"},
	"Find hides tombstones":       {"Find/of a tombstone"},
	"Find finds expired sessions": {"Expiry/hides a session"},

	"Update keeps a time":                               {"Update/replaces every field"},
	"Update keeps bytes where it is given none":         {"Update/replaces bytes with none"},
	"Update keeps the secret":                           {"Update/follows the secret"},
	"Update ignores was":                                {"Update/refuses another secret"},
	"Update takes the zero hash for any":                {"Update/refuses another secret"},
	"Update compares the new secret":                    {"Update/refuses another secret"},
	"Update creates":                                    {"Update/never creates"},
	"Update brings back":                                {"Update/never brings back", "Revoke/is final"},
	"Update of a tombstone answers stale":               {"Update/never brings back"},
	"Update looks first":                                {"Race/of renewals", "RevokeRace/of a revocation with writes", "RevokeRace/of RevokeAll with everything"},
	"Update writes field by field":                      {"Race/of updates with reads"},
	"Touch and Update leave the deadline":               {"Expiry/is put off by Touch", "Expiry/is moved by Update"},
	"Touch loses the data":                              {"Touch/records when and where"},
	"Touch clears the client":                           {"Touch/keeps the client"},
	"Touch keeps the client where the new one is empty": {"Touch/keeps the client"},
	"Touch moves back":                                  {"Touch/never moves back"},
	"Touch moves both times or neither":                 {"Touch/never moves back"},
	"Touch creates":                                     {"Touch/never creates"},
	"Touch brings back":                                 {"Touch/never brings back", "Revoke/is final"},
	"Touch does not know tombstones":                    {"Touch/never brings back"},
	"Touch writes back what it read":                    {"Race/of touches with updates", "RevokeRace/of a revocation with writes", "RevokeRace/of RevokeAll with everything"},
	"Touch looks first":                                 {"Race/of touches"},

	"List of nothing fails":       {"List/of nothing"},
	"List returns data":           {"List/leaves the data out", "Revoke/returns the session", "Limit/evicts the least recently seen"},
	"tombstones are listed":       {"List/leaves tombstones out"},
	"List returns a page":         {"List/has each session once"},
	"expired sessions are listed": {"Expiry/hides a session"},

	"Revoke returns the tombstone":   {"Revoke/returns the session"},
	"Revoke forgets":                 {"Revoke/is final", "Revoke/leaves a tombstone"},
	"Revoke of the unknown succeeds": {"Revoke/of the unknown"},
	"Revoke of the revoked succeeds": {"Revoke/of the revoked"},
	"Revoke looks first":             {"RevokeRace/of revocations of one session", "RevokeRace/of two sessions that revoke each other"},

	"RevokeAll ignores keep":                         {"RevokeAll/keeps one"},
	"RevokeAll with nothing to keep does nothing":    {"RevokeAll/keeps none"},
	"RevokeAll fails where there is nothing to keep": {"RevokeAll/keeps what is not there"},
	"RevokeAll of nothing fails":                     {"RevokeAll/of nothing"},
	"RevokeAll stops at 250":                         {"RevokeAll/of many"},
	"RevokeAll goes one by one":                      {"RevokeRace/of RevokeAll with everything"},
	"RevokeAll lets anybody act":                     {"Actor/that is unknown", "Actor/that was revoked"},
	"RevokeAll looks up the actor first":             {"RevokeRace/of sessions that revoke all others", "RevokeRace/of a session that acts while it is revoked"},
	"RevokeEveryone leaves tombstones":               {"RevokeEveryone/ends every session"},
	"RevokeEveryone stops at 100":                    {"RevokeEveryone/ends every session"},
	"RevokeEveryone of nobody fails":                 {"RevokeEveryone/of nothing"},

	"a session may not revoke itself":          {"Actor/that is live"},
	"an unknown target is blamed on the actor": {"Actor/that is live, target unknown"},
	"unknown sessions act":                     {"Actor/that is unknown"},
	"revoked sessions act":                     {"Actor/that was revoked"},
	"the target is looked up before the actor": {"Actor/that is unknown", "Actor/that was revoked"},
	"another user's sessions act":              {"Actor/of another user"},
	"expired sessions act":                     {"Expiry/ends an acting session"},

	"tombstones keep the client":                {"Revoke/leaves a tombstone"},
	"tombstones keep the time last seen":        {"Revoke/leaves a tombstone"},
	"tombstones lose the sign-in":               {"Revoke/leaves a tombstone"},
	"the zero time is not now":                  {"Revoke/stands for now"},
	"tombstones last as long as sessions":       {"Tombstone/expires after a day"},
	"tombstones last a day":                     {"Tombstone/expires with its session"},
	"tombstones go by the first expiry":         {"Tombstone/expires with what Touch and Update made of its session"},
	"tombstones never expire":                   {"Expiry/ends a tombstone"},
	"forgets the newest tombstones":             {"Tombstone/is forgotten, the oldest first"},
	"any number of tombstones":                  {"Tombstone/is forgotten, the oldest first"},
	"RevokeAll leaves any number of tombstones": {"Tombstone/is forgotten after RevokeAll"},
	"evictions leave any number of tombstones":  {"Tombstone/is forgotten after eviction"},

	"ids are trimmed":                 {"Value/ids of odd bytes"},
	"ids are of all users":            {"RevokeAll/concerns one user", "Value/user keys of odd bytes"},
	"user keys end at a NUL":          {"Value/user keys of odd bytes"},
	"names are joined":                {"Value/names that run into each other"},
	"bytes are text":                  {"Value/bytes of any value"},
	"has room for 64 KB":              {"Value/much data"},
	"times in seconds":                {"Value/times of any year", "Create/keeps every field"},
	"the zero time is 1970":           {"Value/times of any year"},
	"times in 64 bits of nanoseconds": {"Value/a year is not a number of nanoseconds", "Value/times of any year"},

	"keeps the slices that it is given":   {"Caller/may reuse what it gave"},
	"changes the slices that it is given": {"Caller/gets back unchanged what it gave"},
	"returns its own slices":              {"Caller/may change what it got"},
	"returns its own tombstones":          {"Caller/may change what it got"},
	"ignores the context":                 {"Context/that is cancelled", "Context/that is out of time"},
	"looks for cancellation only":         {"Context/that is out of time"},

	"expired sessions keep their id":  {"Expiry/frees the id"},
	"a user's sessions expire as one": {"Expiry/of one leaves the others"},
}

// A store without a flaw passes.
func TestFlawless(t *testing.T) {
	Run(t, func() store.Store { return newFlawed("") })
}

// Every flaw is found by the cases that should find it, and every case finds one.
func TestFlaws(t *testing.T) {
	cases := make(map[string]testCase)
	for _, s := range subjects {
		for _, c := range s.cases {
			cases[s.name+"/"+c.name] = c
		}
	}
	useless := make(map[string]bool)
	for name := range cases {
		useless[name] = true
	}
	for flaw, finders := range flaws {
		for _, name := range finders {
			delete(useless, name)
			t.Run(flaw+"/"+name, func(t *testing.T) {
				t.Parallel()
				c, ok := cases[name]
				if !ok {
					t.Fatal("there is no such case")
				}
				failure := outcome(t, c, newFlawed(flaw))
				if failure == "" {
					t.Error("the case passes")
				} else if !strings.Contains(failure, c.rule) {
					t.Errorf("the failure does not say which rule was broken: %s", failure)
				}
			})
		}
	}
	for name := range useless {
		t.Errorf("the case %q finds no flaw", name)
	}
}

// outcome returns how a case fails, or nothing.
func outcome(t *testing.T, c testCase, st store.Store) string {
	observed := &observer{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.try(observed, st)
	}()
	<-done
	return observed.failure
}

// An observer takes note of a failure in place of the test.
type observer struct {
	testing.TB
	failure string
}

func (o *observer) Helper() {}

func (o *observer) Fatalf(format string, args ...any) {
	o.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// The names that cases use are different, and few enough to be revoked without
// one being forgotten.
func TestOddNames(t *testing.T) {
	if n := len(oddNames); n > store.MaxTombstones {
		t.Errorf("there are %d odd names, and only %d tombstones", n, store.MaxTombstones)
	}
	sorted := slices.Sorted(slices.Values(oddNames))
	if unique := slices.Compact(slices.Clone(sorted)); len(unique) != len(sorted) {
		t.Errorf("%d of %d odd names are different", len(unique), len(sorted))
	}
}
