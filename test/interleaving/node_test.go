package interleaving

import (
	"context"
	"fmt"
	"strings"
)

// onPlain is the role of a browser whose requests go to a node of plain scs, which
// knows the visitors' store alone.
func onPlain(at browser, acts ...act) role {
	var does []string
	for _, a := range acts {
		does = append(does, a.does)
	}
	return role{fmt.Sprintf("the %v, on a node of plain scs, %s", at, strings.Join(does, " and then ")), play(at, true, acts)}
}

// movesOnPlainNode notes that a node of plain scs moves an old session to another
// token. A record that is tagged remains the session that it was adopted as. Of one
// that is not, nobody can tell it from a sign-in on that node.
func (x *exchange) movesOnPlainNode(ctx context.Context) {
	if x.loaded == nobody {
		return
	}
	if x.sm.Exists(ctx, "revoke.adopted") {
		x.moved = x.moved.with(x.loaded)
		return
	}
	x.closed = x.closed.with(x.loaded)
	n := x.becomes(ctx, x.signIns[x.loaded].user)
	x.whenSaved = append(x.whenSaved, operation{kind: comesBeside, target: n})
}
