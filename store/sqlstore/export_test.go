package sqlstore

// Texts returns the statements of one session or one user, as a dialect has them.
func Texts(d Dialect) (texts []string) {
	for _, st := range []statement{
		findStatement, listStatement, updateStatement, touchStatement, standsStatement, onceStatement, markStatement,
		countStatement, beyondStatement, liveStatement, othersStatement, buryStatement, forgetStatement,
		retireStatement, pageStatement,
	} {
		texts = append(texts, st[d].text)
	}
	return texts
}
