//go:build race

package interleaving

func init() { raceDetector = true }
