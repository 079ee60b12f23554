package store

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// How records lie in the fields of a hash; see the comment on [Redis]. The
// scripts read and write the same texts.

var errMalformed = errors.New("malformed record")

var base64URL = base64.RawURLEncoding.Strict()

// sessionText returns a session's field s:<id>.
func sessionText(r Record) string {
	return strings.Join([]string{
		hashText(r.Secret), timeText(r.ExpiresAt), timeText(r.CreatedAt), timeText(r.SeenAt), timeText(r.ProvedAt), string(r.Client),
	}, " ")
}

// parseSession reads a session from the fields s:<id> and d:<id>. It does not
// keep text.
func parseSession(user, id string, text, data []byte) (Record, error) {
	p := parser{rest: string(text)}
	r := Record{User: user, ID: id, Secret: p.hash(), ExpiresAt: p.time(), CreatedAt: p.time(), SeenAt: p.time(), ProvedAt: p.time()}
	if p.done {
		return Record{}, errMalformed // without the space that the client follows
	}
	if p.rest != "" {
		r.Client = []byte(p.rest)
	}
	if len(data) > 0 {
		r.Data = data
	}
	return r, p.err
}

// tombstoneTail returns what a script puts after the times in a field t:<id>.
func tombstoneTail(why Revocation) string {
	return escape(why.By) + " " + escape(why.Reason)
}

// parseTombstone reads a tombstone from the field t:<id>.
func parseTombstone(user, id string, text []byte) (Record, error) {
	p := parser{rest: string(text)}
	r := Record{User: user, ID: id, Secret: p.hash(), ExpiresAt: p.time(), CreatedAt: p.time()}
	r.Revoked = &Revocation{At: p.time(), By: p.text(), Reason: p.text()}
	if !p.done {
		return Record{}, errMalformed
	}
	return r, p.err
}

// A parser takes a text of words with one space between them apart, and
// remembers whether there was an error.
type parser struct {
	rest string
	done bool
	err  error
}

func (p *parser) word() string {
	word, rest, more := strings.Cut(p.rest, " ")
	if p.done {
		p.err = errMalformed
	}
	p.rest, p.done = rest, !more
	return word
}

func (p *parser) check(err error) {
	if err != nil {
		p.err = errMalformed // without err, which repeats what it was given
	}
}

func (p *parser) hash() (h Hash) {
	word := p.word()
	if len(word) != base64URL.EncodedLen(len(h)) || strings.ContainsAny(word, "\r\n") {
		p.err = errMalformed
		return h
	}
	_, err := base64URL.Decode(h[:], []byte(word))
	p.check(err)
	return h
}

func (p *parser) time() time.Time {
	t, err := parseTime(p.word())
	p.check(err)
	return t
}

func (p *parser) text() string {
	text, err := unescape(p.word())
	p.check(err)
	return text
}

func hashText(h Hash) string { return base64URL.EncodeToString(h[:]) }

const second = int64(time.Second)

// timeText returns a time as seconds since 1970, in decimal to the nanosecond:
// every time.Time comes back from it, and a script can compare it as a number.
func timeText(t time.Time) string {
	seconds, nanos := t.Unix(), int64(t.Nanosecond())
	text := make([]byte, 0, 24)
	if seconds < 0 {
		text = append(text, '-')
		if nanos > 0 {
			seconds, nanos = seconds+1, second-nanos
		}
		seconds = -seconds // the smallest stays itself, and is right as a uint64
	}
	text = strconv.AppendUint(text, uint64(seconds), 10)
	point := len(text)
	text = strconv.AppendInt(text, second+nanos, 10) // ten digits, the first a 1
	text[point] = '.'
	return string(text)
}

func parseTime(text string) (time.Time, error) {
	magnitude, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(magnitude, ".")
	seconds, err1 := strconv.ParseUint(whole, 10, 64)
	nanos, err2 := strconv.ParseUint(fraction, 10, 32)
	if err1 != nil || err2 != nil || len(fraction) != 9 || seconds > 1<<63 || (seconds == 1<<63 && !negative) {
		return time.Time{}, errMalformed
	}
	if negative {
		return time.Unix(-int64(seconds), -int64(nanos)).UTC(), nil
	}
	return time.Unix(int64(seconds), int64(nanos)).UTC(), nil
}

// escape makes one printable word of any text.
func escape(text string) string {
	switch text {
	case "":
		return "-"
	case "-":
		return "%2D"
	}
	return url.PathEscape(text)
}

func unescape(word string) (string, error) {
	if word == "-" {
		return "", nil
	}
	if word == "" {
		return "", errMalformed
	}
	return url.PathUnescape(word)
}
