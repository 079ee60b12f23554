// Package plainscs has one browser use an application over plain scs, and another
// the same application over revoke, and shows that users cannot tell them apart:
// not with revoke from the beginning, and not if it is deployed in the middle.
package plainscs
