package memcachestore

import (
	"errors"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// Visitors is a store for scs that keeps the sessions of those who have not signed in
// on Memcached, each under a hash of its token. It may forget any of them at any
// time. An answer that takes too long is bounded by the client's Timeout.
type Visitors struct {
	// Prefix is what the keys begin with: "scs:session:" if empty. It may have at
	// most 200 bytes, and no spaces or control characters.
	Prefix string

	client *memcache.Client
}

// NewVisitors returns a store on the servers that client leads to.
func NewVisitors(client *memcache.Client) *Visitors { return &Visitors{client: client} }

const visitorVersion = 1

// Find returns the data of a session, and whether there is one that has not expired.
func (v *Visitors) Find(token string) (data []byte, found bool, err error) {
	item, err := v.client.Get(v.key(token))
	if errors.Is(err, memcache.ErrCacheMiss) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, failed("find visitor", err)
	}
	p := parser{rest: item.Value}
	p.version(visitorVersion)
	expires := p.time()
	if p.malformed {
		return nil, false, failed("find visitor", errMalformed)
	}
	if !time.Now().Before(expires) {
		return nil, false, nil
	}
	return p.rest, true, nil
}

// Commit keeps the data of a session until it expires, in place of what was there.
func (v *Visitors) Commit(token string, data []byte, expires time.Time) error {
	value := append(appendTime([]byte{visitorVersion}, expires), data...)
	item := &memcache.Item{Key: v.key(token), Value: value, Expiration: expiration(time.Now(), expires)}
	return failed("keep visitor", sized(v.client.Set(item)))
}

// Delete deletes a session, if there is one.
func (v *Visitors) Delete(token string) error {
	err := v.client.Delete(v.key(token))
	if errors.Is(err, memcache.ErrCacheMiss) {
		return nil
	}
	return failed("delete visitor", err)
}

func (v *Visitors) key(token string) string {
	prefix := v.Prefix
	if prefix == "" {
		prefix = "scs:session:"
	}
	return prefix + hashed(token)
}
