// Package wiring puts scs and revoke together wrongly, and shows that each mistake is
// answered with 500 and explained in the log, and that managers beside and inside each
// other do not meet.
package wiring
