//go:build race

package racedetector

// On says whether it is on.
const On = true
