//go:build race

package theatre

func init() { raceDetector = true }
