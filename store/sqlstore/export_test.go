package sqlstore

// Texts returns the statements of one user, and the page of All, as a dialect has them.
func Texts(d Dialect) (texts []string) {
	for _, st := range append(ofUser, pageStatement) {
		texts = append(texts, st[d].text)
	}
	return texts
}
