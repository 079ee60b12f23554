package proof_test

import (
	"fmt"
	"math"

	"github.com/anishathalye/porcupine"
)

// Under leases a process may say for a while that a session is live which has ended
// elsewhere, until that is answered. So each session has a history for each process, and
// each of these must be linearizable: to that process it ends once, at some time between
// the call and the answer of a revocation.

// A leaseInput is what happens to one session, as one process sees it.
type leaseInput uint8

const (
	begins leaseInput = iota
	ends
	isAsked // whether it is live
)

// leaseModel is the model of one session. A question is answered with yes or no.
var leaseModel = porcupine.Model{
	Init: func() any { return false },
	Step: func(live, in, yes any) (bool, any) {
		switch in.(leaseInput) {
		case begins:
			return true, true
		case ends:
			return true, false
		}
		return live == yes, live
	},
	DescribeOperation: func(in, yes any) string {
		if in.(leaseInput) == isAsked {
			return fmt.Sprintf("live? %v", yes)
		}
		return map[leaseInput]string{begins: "begins", ends: "ends"}[in.(leaseInput)]
	},
}

// A question is one that a process was asked: whether a session is live.
type question struct {
	session, process int
	lane             int
	call, back       int64
	yes              bool
}

// checkLeases looks for an order for each session and process, and returns how many
// histories there are, and those that have none.
func (h *tokenHistory) checkLeases() (histories int, illegal []porcupine.LinearizationInfo) {
	for session := range h.apps {
		for process := range h.servers {
			result, info := porcupine.CheckOperationsVerbose(leaseModel, h.ofLease(session, process), 0)
			if histories++; result == porcupine.Illegal {
				illegal = append(illegal, info)
			}
		}
	}
	return histories, illegal
}

// ofLease returns the history of one session as one process sees it.
func (h *tokenHistory) ofLease(session, process int) (operations []porcupine.Operation) {
	add := func(lane int, in leaseInput, call, back int64, yes bool) {
		operations = append(operations, porcupine.Operation{ClientId: lane, Input: in, Call: call, Output: yes, Return: back})
	}
	for _, op := range h.operations {
		in, out := op.input, op.output
		switch {
		case in.deed == issue && in.actor == session && out.answer != told:
			add(op.lane, begins, op.call, op.back, false)
		case in.deed == endOne && in.target == session && (out.answer == done || out.answer == notFound),
			in.deed >= endOthers && out.answer == done && out.sessions.has(session):
			add(op.lane, ends, op.call, op.back, false)
		case in.deed >= endOne && out.answer == unknown:
			add(op.lane, ends, op.call, math.MaxInt64, false)
		}
	}
	for _, q := range h.questions {
		if q.session == session && q.process == process {
			add(q.lane, isAsked, q.call, q.back, q.yes)
		}
	}
	return operations
}
