package theatre

import (
	"slices"
	"strings"
)

// beside returns the casts that have one role on a node of revoke and one on a node of
// plain scs, but for those in which both renew the token: of two new cookies the
// browser keeps the one that arrives last.
func beside(ours, theirs []role) [][]role {
	return slices.DeleteFunc(each(ours, theirs), func(cast []role) bool {
		return strings.Contains(cast[0].does, toRenew.does) && strings.Contains(cast[1].does, toRenew.does)
	})
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
