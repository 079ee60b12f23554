//go:build race

package storetest

func init() { raceDetector = true }
