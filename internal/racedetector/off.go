//go:build !race

// Package racedetector tells tests whether they run under the race detector, which makes
// some of them too slow and others count what it allocates itself.
package racedetector

// On says whether it is on.
const On = false
