package store

import (
	"bytes"
	"errors"
	"strconv"
	"time"
)

// How records lie in the fields of a hash: lua/hash.lua has the layout, and the
// scripts read and write the same texts.

var errMalformed = errors.New("malformed record, or one of another version")

const (
	timeLen = 18
	maxTime = 999_999_999_999_999_999 // in microseconds since the year 1
	yearOne = -62135596800            // in seconds since 1970
)

// sessionText returns a session's field s:<id>.
func sessionText(r Record) string {
	renewed := r.Prev != Hash{} || !r.RenewedAt.IsZero() || !r.UsedAt.IsZero()
	text := make([]byte, 0, 200+len(r.Client))
	text = append(text, '1')
	if renewed {
		text[0] = '2'
	}
	text = append(text, r.Secret[:]...)
	for _, t := range []time.Time{r.CreatedAt, r.ExpiresAt, r.Deadline, r.SeenAt, r.ProvedAt} {
		text = appendTime(text, t)
	}
	if renewed {
		text = append(text, r.Prev[:]...)
		text = appendTime(appendTime(text, r.RenewedAt), r.UsedAt)
	}
	return string(append(text, r.Client...))
}

// parseSession reads a session from the fields s:<id> and d:<id>. It does not
// keep text.
func parseSession(user, id string, text, data []byte) (Record, error) {
	p := parser{rest: text}
	version := p.version()
	r := Record{
		User: user, ID: id, Secret: p.hash(),
		CreatedAt: p.time(), ExpiresAt: p.time(), Deadline: p.time(), SeenAt: p.time(), ProvedAt: p.time(),
	}
	if version == '2' {
		r.Prev, r.RenewedAt, r.UsedAt = p.hash(), p.time(), p.time()
	}
	if p.malformed {
		return Record{}, errMalformed
	}
	if len(p.rest) > 0 {
		r.Client = append([]byte(nil), p.rest...)
	}
	if len(data) > 0 {
		r.Data = data
	}
	return r, nil
}

// parseSessions reads sessions without their data from names and values of fields.
func parseSessions(user string, fields [][]byte) ([]Record, error) {
	if len(fields)%2 != 0 {
		return nil, errUnexpected
	}
	list := make([]Record, 0, len(fields)/2)
	for ; len(fields) > 0; fields = fields[2:] {
		name := string(fields[0])
		if len(name) < 2 || name[:2] != "s:" {
			return nil, errUnexpected
		}
		rec, err := parseSession(user, name[2:], fields[1], nil)
		if err != nil {
			return nil, err
		}
		list = append(list, rec)
	}
	return list, nil
}

// parseTombstone reads a tombstone from the field t:<id>.
func parseTombstone(user, id string, text []byte) (Record, error) {
	p := parser{rest: text}
	version := p.version()
	r := Record{User: user, ID: id, Secret: p.hash(), CreatedAt: p.time(), ExpiresAt: p.time()}
	why := Revocation{At: p.time()}
	if version == '2' {
		r.Prev = p.hash()
	}
	p.why(&why)
	if p.malformed {
		return Record{}, errMalformed
	}
	r.Revoked = &why
	return r, nil
}

// parseMark reads the field mark.
func parseMark(text []byte) (Revocation, error) {
	p := parser{rest: text}
	if p.version() != '1' {
		return Revocation{}, errMalformed
	}
	why := Revocation{Until: p.time(), At: p.time()}
	p.why(&why)
	if p.malformed {
		return Revocation{}, errMalformed
	}
	return why, nil
}

// whyText returns by whom and why something was revoked: the length of By, a colon,
// By, and the reason.
func whyText(why Revocation) string {
	return strconv.Itoa(len(why.By)) + ":" + why.By + why.Reason
}

// A parser cuts a text, and remembers whether it was malformed.
type parser struct {
	rest      []byte
	malformed bool
}

func (p *parser) cut(n int) []byte {
	if n < 0 || n > len(p.rest) {
		p.malformed, p.rest = true, nil
		return nil
	}
	part := p.rest[:n]
	p.rest = p.rest[n:]
	return part
}

func (p *parser) version() byte {
	if v := p.cut(1); len(v) == 1 && (v[0] == '1' || v[0] == '2') {
		return v[0]
	}
	p.malformed = true
	return 0
}

func (p *parser) hash() (h Hash) {
	copy(h[:], p.cut(len(h)))
	return h
}

func (p *parser) time() time.Time {
	micros, err := strconv.ParseUint(string(p.cut(timeLen)), 10, 64)
	if err != nil {
		p.malformed = true
	}
	return fromMicros(int64(micros))
}

func (p *parser) why(why *Revocation) {
	digits, rest, found := bytes.Cut(p.rest, []byte(":"))
	length, err := strconv.ParseUint(string(digits), 10, 31)
	if !found || err != nil {
		p.malformed = true
	}
	p.rest = rest
	why.By = string(p.cut(int(length)))
	why.Reason = string(p.rest)
}

// timeText returns a time as the microseconds since the year 1, in 18 digits, which
// reach beyond the year 9999. A time that is further off is the nearest.
func timeText(t time.Time) string { return string(appendTime(nil, t)) }

func appendTime(text []byte, t time.Time) []byte {
	micros := int64(0)
	switch seconds := t.Unix(); {
	case seconds > maxTime/1_000_000+yearOne:
		micros = maxTime
	case seconds >= yearOne:
		micros = (seconds-yearOne)*1e6 + int64(t.Nanosecond())/1e3
	}
	at := len(text)
	text = append(text, "000000000000000000"...)
	for i := at + timeLen - 1; micros > 0; i-- {
		text[i] += byte(micros % 10)
		micros /= 10
	}
	return text
}

func fromMicros(micros int64) time.Time {
	return time.Unix(micros/1e6+yearOne, micros%1e6*1e3).UTC()
}
