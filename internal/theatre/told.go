package theatre

import "strings"

// told tells the operations with their answers, and what there is in the end.
func (sc *scene) told(open sessionSet) string {
	var all []string
	for _, op := range sc.operations {
		target, kept, answer := sc.named(op.target), "", ""
		if op.by != nobody {
			kept = " but " + sc.named(op.by)
		}
		if op.keepsNone {
			kept = ""
		}
		switch {
		case op.kind == loads && op.target == nobody:
			continue
		case op.err != nil:
			answer = ": " + op.err.Error()
		case op.kind == loads:
			answer = ": " + sc.named(op.found)
		case op.kind == revokesAll:
			answer = ": " + sc.list(op.set)
		}
		if op.unsure {
			answer += ", or not"
		}
		all = append(all, op.name+" "+[...]string{
			loads: "loads " + target, adopts: "adopts " + target, comesBeside: "begins " + target + " on a node of plain scs", signsIn: "begins " + target, begins: "begins " + target + " instead",
			isRefused: "is refused", renews: "renews " + target, logsOut: "logs out " + target, mayEnd: "may end " + target,
			revokes: "revokes " + target, revokesAll: "revokes all" + kept,
			refusesOld: "refuses old sessions", revokesEveryone: "revokes everyone",
		}[op.kind]+answer)
	}
	return strings.Join(all, "; ") + "; in the end there is " + sc.list(open)
}

func (sc *scene) list(set sessionSet) string {
	var names []string
	for n := range set.all() {
		names = append(names, sc.named(n))
	}
	if names == nil {
		return "nothing"
	}
	return strings.Join(names, " and ")
}
