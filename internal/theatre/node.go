package theatre

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
	return role{fmt.Sprintf("the %v, on a node of plain scs, %s", at, strings.Join(does, " and then ")), play(at, ever, acts)}
}

// inTurns is the role of a browser whose requests go to a node of revoke and to one of
// plain scs in turn.
func inTurns(at browser, acts ...act) role {
	r := in(at, acts...)
	return role{r.does + ", every second time on a node of plain scs", play(at, everySecond, acts)}
}

func never(int) bool         { return false }
func ever(int) bool          { return true }
func everySecond(i int) bool { return i%2 == 1 }

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
	if x.adopted.has(x.loaded) {
		x.fail("the record of %v, which was adopted, does not say so", x.named(x.loaded))
	}
	x.closed = x.closed.with(x.loaded)
	n := x.becomes(ctx, x.signIns[x.loaded].user)
	x.whenSaved = append(x.whenSaved, operation{kind: comesBeside, target: n})
}
