//go:build !unix

package redistest

// Pause skips the test, for want of a way to stall a process.
func (s *Server) Pause() { s.t.Skip("redistest: cannot stall a process on this system") }

// Resume lets a paused server go on.
func (s *Server) Resume() {}
