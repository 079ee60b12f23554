package store

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// A Key encrypts values, and is found by its ID to decrypt them.
type Key struct {
	// ID is stored with each value, in the clear: 1 to 255 bytes that say nothing
	// about the key itself. It must never come to name another key, however long
	// after. The month in which the key was made will do: "2026-05".
	ID string

	AEAD AEAD
}

// An AEAD encrypts. It also authenticates what it encrypts, together with associated
// data. The primitives of github.com/tink-crypto/tink-go have these methods, and [AESGCM]
// has one without that module. An AEAD must be safe for concurrent use. Any error of
// Decrypt counts as tampering.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Plain is the key of values that are not encrypted: see [Encrypt].
var Plain = Key{AEAD: plain{}}

// AESGCM returns a key for AES-256-GCM with random nonces (NIST SP 800-38D). The
// key is 32 random bytes, as from "openssl rand 32". Do not use a password.
//
// The key is good for 2^32 values, over all processes. Beyond that a nonce may come twice,
// which breaks the encryption, and nothing counts them. Creating or updating a session
// takes two values, a touch takes one. At a thousand a second, put a new key in front every
// month, or use an AEAD without that limit, such as XAES-256-GCM from Tink.
func AESGCM(id string, key []byte) (Key, error) {
	if len(key) != 32 {
		return Key{}, fmt.Errorf("store: an AES-256 key has 32 bytes, not %d", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return Key{}, err
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Key{}, err
	}
	return Key{ID: id, AEAD: aesGCM{gcm}}, nil
}

// aesGCM is an AEAD with a random nonce before each ciphertext.
type aesGCM struct{ cipher.AEAD }

func (a aesGCM) Encrypt(value, ad []byte) ([]byte, error)  { return a.Seal(nil, nil, value, ad), nil }
func (a aesGCM) Decrypt(sealed, ad []byte) ([]byte, error) { return a.Open(nil, nil, sealed, ad) }

// plain leaves values as they are.
type plain struct{}

func (plain) Encrypt(value, _ []byte) ([]byte, error) {
	if bytes.HasPrefix(value, []byte(magic)) {
		return nil, errors.New("a plain value begins like an encrypted one")
	}
	return value, nil
}

func (plain) Decrypt(value, _ []byte) ([]byte, error) { return value, nil }
