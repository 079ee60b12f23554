package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"

	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke/store"
)

// encryptedStore returns a store on Redis under the keys of a text such as
// "2026-11:9c…,2026-10:4f…". Where the text is empty it makes a key up, warns of
// what that means, and keeps out of the way of sessions under other keys.
func encryptedStore(pool *redis.Pool, text string, log *slog.Logger) (store.Store, error) {
	st := store.NewRedis(pool)
	if text == "" {
		log.Warn("SESSION_KEYS is not set: the key was made just now, and the sessions under it " +
			"end with this process; make one to keep with: openssl rand -hex 32")
		id, secret := rand.Text(), make([]byte, 32)
		rand.Read(secret)
		st.Prefix = "revoke:" + id + ":"
		text = id + ":" + hex.EncodeToString(secret)
	}
	keys, err := parseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("SESSION_KEYS: %w", err)
	}
	return store.Encrypt(st, keys...)
}

func parseKeys(text string) (keys []store.Key, err error) {
	for i, field := range strings.Split(text, ",") {
		id, digits, _ := strings.Cut(strings.TrimSpace(field), ":")
		secret, err := hex.DecodeString(digits)
		if err != nil || len(secret) != 32 {
			// Nothing of the text: part of it may be a key.
			return nil, fmt.Errorf("key %d is not of the form <ID>:<64 hex digits>", i+1)
		}
		key, err := store.AESGCM(id, secret)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}
