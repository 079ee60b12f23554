// Package cleantext makes texts from outside fit to be stored, shown and logged.
package cleantext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean returns at most max bytes of s, as UTF-8 in which nothing moves the
// cursor, ends the line or turns the direction of writing.
func Clean(s string, max int) string {
	if len(s) > max {
		n := max
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
