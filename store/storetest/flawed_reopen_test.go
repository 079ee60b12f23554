package storetest

import (
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// reopened returns a store with what s has in its database.
func (s *flawed) reopened() *flawed {
	again := &flawed{flaw: s.flaw, kept: s.kept, users: s.users, marks: s.marks, onces: s.onces, everyone: s.everyone, torn: s.torn}
	switch {
	case s.is("marks are in the process"):
		again.marks = make(map[string]store.Revocation)
	case s.is("ids that were created once are in the process"):
		again.onces = make(map[[2]string]time.Time)
	case s.is("the time of RevokeEveryone is in the process"):
		again.everyone = time.Time{}
	case s.is("tombstones are in the process"):
		again.kept = make(map[[2]string]*kept)
		for key, k := range s.kept {
			if k.Revoked == nil {
				again.kept[key] = k
			}
		}
	}
	return again
}
