// Package wiring puts scs and revoke together wrongly, and shows that each mistake is
// answered with 500 and explained in the log, that managers beside and inside each
// other do not meet, and that each handler works alone under any pattern.
package wiring
