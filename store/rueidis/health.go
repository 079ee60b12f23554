package rueidis

import "sync/atomic"

// A health says how a client gets on with its Redis.
type health struct {
	answers atomic.Int64 // since a connection failed
	pending atomic.Int64 // commands that are not answered yet
}

const (
	// A client chooses among its connections, of which there are four at most unless it
	// is told otherwise, at random. After so many answers it has dialled all of them.
	enough = 100

	// A client has room for twice as many pending commands on each connection.
	room = 512
)

func (h *health) isGood() bool { return h.answers.Load() >= enough && h.pending.Load() < room }

// begin counts a command that is sent.
func (h *health) begin() { h.pending.Add(1) }

// end counts its answer, or that there will be none.
func (h *health) end(failed bool) {
	h.pending.Add(-1)
	if failed {
		h.answers.Store(0)
	} else if h.answers.Load() < enough {
		h.answers.Add(1)
	}
}
