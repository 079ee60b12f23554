package memcachestore

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// A user's value is a version and four lists, each with its length before it: the
// sessions, the tombstones, the ids that are created once, and the mark, if there is
// one. Lengths are uvarints. Texts and bytes have their length before them. Times are
// varints of the microseconds since 1970.
const userVersion = 1

var errMalformed = errors.New("malformed value, or one of another version")

// encode returns the value that has all of a, and when the last of it expires.
func (a *account) encode() (value []byte, expires time.Time) {
	b := []byte{userVersion}
	until := func(t time.Time) {
		if t.After(expires) {
			expires = t
		}
	}
	b = binary.AppendUvarint(b, uint64(len(a.sessions)))
	for _, r := range a.sessions {
		until(r.ExpiresAt)
		b = appendText(b, r.ID)
		b = append(b, r.Secret[:]...)
		for _, t := range []time.Time{r.CreatedAt, r.SeenAt, r.ProvedAt, r.ExpiresAt, r.Deadline} {
			b = appendTime(b, t)
		}
		b = append(b, renewed(r))
		if renewed(r) != 0 {
			b = append(b, r.Prev[:]...)
			b = appendTime(appendTime(b, r.RenewedAt), r.UsedAt)
		}
		b = appendText(appendText(b, string(r.Client)), string(r.Data))
	}
	b = binary.AppendUvarint(b, uint64(len(a.tombstones)))
	for _, r := range a.tombstones {
		until(r.ExpiresAt)
		b = appendText(b, r.ID)
		b = append(b, r.Secret[:]...)
		b = append(b, r.Prev[:]...)
		b = appendTime(appendTime(b, r.CreatedAt), r.ExpiresAt)
		b = appendRevocation(b, *r.Revoked)
	}
	b = binary.AppendUvarint(b, uint64(len(a.onces)))
	for _, o := range a.onces {
		until(o.until)
		b = appendTime(appendText(b, o.id), o.until)
	}
	if a.mark == nil {
		return append(b, 0), expires
	}
	until(a.mark.Until)
	return appendTime(appendRevocation(append(b, 1), *a.mark), a.mark.Until), expires
}

// renewed returns 1 if the session has fields that only a renewal sets, else 0.
func renewed(r store.Record) byte {
	if r.Prev != (store.Hash{}) || !r.RenewedAt.IsZero() || !r.UsedAt.IsZero() {
		return 1
	}
	return 0
}

// decode reads a user's value, which is nil if there is none, and leaves out what has
// expired. The records share the bytes of the value.
func decode(key string, value []byte, now time.Time) (*account, error) {
	a := &account{key: key}
	if value == nil {
		return a, nil
	}
	p := parser{rest: value}
	p.version(userVersion)
	for range p.count() {
		r := store.Record{
			User: key, ID: p.text(), Secret: p.hash(),
			CreatedAt: p.time(), SeenAt: p.time(), ProvedAt: p.time(), ExpiresAt: p.time(), Deadline: p.time(),
		}
		if p.flag() {
			r.Prev, r.RenewedAt, r.UsedAt = p.hash(), p.time(), p.time()
		}
		r.Client, r.Data = p.bytes(), p.bytes()
		if now.Before(r.ExpiresAt) {
			a.sessions = append(a.sessions, r)
		}
	}
	for range p.count() {
		r := store.Record{
			User: key, ID: p.text(), Secret: p.hash(), Prev: p.hash(),
			CreatedAt: p.time(), ExpiresAt: p.time(), Revoked: p.revocation(),
		}
		if now.Before(r.ExpiresAt) {
			a.tombstones = append(a.tombstones, r)
		}
	}
	for range p.count() {
		if o := (once{p.text(), p.time()}); now.Before(o.until) {
			a.onces = append(a.onces, o)
		}
	}
	if p.flag() {
		mark := p.revocation()
		if mark.Until = p.time(); now.Before(mark.Until) {
			a.mark = mark
		}
	}
	return a, p.end()
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendTime(b []byte, t time.Time) []byte { return binary.AppendVarint(b, t.UnixMicro()) }

func appendRevocation(b []byte, why store.Revocation) []byte {
	return appendText(appendText(appendTime(b, why.At), why.Reason), why.By)
}

// A parser cuts a value, and remembers whether it was malformed.
type parser struct {
	rest      []byte
	malformed bool
}

func (p *parser) fail() { p.malformed, p.rest = true, nil }

// end returns an error if the value was malformed, or goes on.
func (p *parser) end() error {
	if p.malformed || len(p.rest) > 0 {
		return errMalformed
	}
	return nil
}

func (p *parser) version(v byte) {
	if b := p.cut(1); len(b) == 0 || b[0] != v {
		p.fail()
	}
}

func (p *parser) cut(n int) []byte {
	if n < 0 || n > len(p.rest) {
		p.fail()
		return nil
	}
	part := p.rest[:n:n]
	p.rest = p.rest[n:]
	return part
}

// count reads a length, which is never more than what is left.
func (p *parser) count() int {
	n, size := binary.Uvarint(p.rest)
	if size <= 0 || n > uint64(len(p.rest)-size) {
		p.fail()
		return 0
	}
	p.rest = p.rest[size:]
	return int(n)
}

func (p *parser) bytes() []byte {
	if b := p.cut(p.count()); len(b) > 0 {
		return b
	}
	return nil
}

func (p *parser) text() string { return string(p.bytes()) }

func (p *parser) flag() bool {
	b := p.cut(1)
	if len(b) == 1 && b[0] > 1 {
		p.fail()
	}
	return len(b) == 1 && b[0] == 1
}

func (p *parser) hash() (h store.Hash) {
	copy(h[:], p.cut(len(h)))
	return h
}

func (p *parser) time() time.Time {
	micros, size := binary.Varint(p.rest)
	if size <= 0 {
		p.fail()
		return time.Time{}
	}
	p.rest = p.rest[size:]
	return time.UnixMicro(micros).UTC()
}

func (p *parser) revocation() *store.Revocation {
	return &store.Revocation{At: p.time(), Reason: p.text(), By: p.text()}
}
