package accesstoken_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/revoke-sessions/revoke/accesstoken"
	"github.com/revoke-sessions/revoke/store"
)

var b64 = base64.RawURLEncoding

type object map[string]any

// with returns a copy in which some members are others, and those that are nil left out.
func (o object) with(change object) object {
	o = maps.Clone(o)
	maps.Copy(o, change)
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
	return o
}

// sign makes a token of texts that need not be JSON.
func sign(header, claims string, by func(input string) []byte) string {
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(claims))
	return input + "." + b64.EncodeToString(by(input))
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func kid(key crypto.PublicKey) string {
	sum, _ := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	return b64.EncodeToString(sum)
}

func byEd(key ed25519.PrivateKey) func(string) []byte {
	return func(input string) []byte { return ed25519.Sign(key, []byte(input)) }
}

func byHMAC(key []byte) func(string) []byte {
	return func(input string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	}
}

func byRSA(key *rsa.PrivateKey) func(string) []byte {
	return func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		signature, _ := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
		return signature
	}
}

func byPSS(key *rsa.PrivateKey) func(string) []byte {
	return func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		signature, _ := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], nil)
		return signature
	}
}

func byEC(key *ecdsa.PrivateKey) func(string) []byte {
	return func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		r, s, _ := ecdsa.Sign(rand.Reader, key, sum[:])
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
}

func unsigned(string) []byte { return nil }

// TestForgeries presents forged tokens to a service elsewhere, to the site itself, and to
// its introspection endpoint. Each is refused for a reason of its own, so that none is
// refused by chance. Most are signed with a key of the issuer: what such a token says
// must be looked at all the same, as the key may be used for other things.
func TestForgeries(t *testing.T) {
	ed, ec, rs, evil := edKey(), ecKey(), rsaKey(2048), edKey()
	st := store.NewMemory()
	s := newSite(t, st, ed, ec, rs).serve()
	service := s.service(st)

	good, err := service.Verify(t.Context(), s.access("ann"))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := service.Verify(t.Context(), s.access("eve"))
	if err != nil {
		t.Fatal(err)
	}
	fetched := "" // by anybody who believed a header
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fetched = r.URL.Path
		w.Write([]byte(text(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: evil.Public(), KeyID: kid(evil.Public()), Use: "sig"}}})))
	})
	trap := serve(t, mux)

	now := time.Now().Unix()
	header := object{"alg": "EdDSA", "kid": kid(ed.Public()), "typ": "at+jwt"}
	claims := object{
		"iss": issuer, "sub": "ann", "sid": good.SID, "aud": audience, "client_id": audience,
		"exp": now + 300, "iat": now, "jti": "1",
	}
	h := func(change object) string { return text(header.with(change)) }
	c := func(change object) string { return text(claims.with(change)) }
	byKey := byEd(ed)
	whole := sign(h(nil), c(nil), byKey)
	parts := strings.Split(whole, ".")
	der, _ := x509.MarshalPKIXPublicKey(rs.Public())
	rsaPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	evilJWK := jose.JSONWebKey{Key: evil.Public(), KeyID: kid(evil.Public())}
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", whole[len(whole)-1])
	respelled := whole[:len(whole)-1] + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last+1:last+2]

	const (
		malformed = "malformed:"
		badHeader = "malformed header"
		extra     = "more or less"
		badType   = "another type"
		badKey    = "unknown key"
		badAlg    = "not the key's algorithm"
		badSign   = "wrong signature"
		badClaims = "malformed claims"
		badIssuer = "another issuer"
		badAud    = "another audience"
		noSession = "names no session"
		expired   = "expired"
		early     = "not valid yet"
	)
	for _, test := range []struct{ name, want, token string }{
		// algorithms
		{"alg none", badAlg, sign(h(object{"alg": "none"}), c(nil), unsigned)},
		{"alg None", badAlg, sign(h(object{"alg": "None"}), c(nil), unsigned)},
		{"alg none with a good signature", badAlg, sign(h(object{"alg": "none"}), c(nil), byKey)},
		{"alg empty", badAlg, sign(h(object{"alg": ""}), c(nil), byKey)},
		{"alg in small letters", badAlg, sign(h(object{"alg": "eddsa"}), c(nil), byKey)},
		{"alg missing", extra, sign(h(object{"alg": nil}), c(nil), byKey)},
		{"HS256 with the Ed25519 key", badAlg, sign(h(object{"alg": "HS256"}), c(nil), byHMAC(ed.Public().(ed25519.PublicKey)))},
		{"HS256 with the RSA key as PEM", badAlg, sign(h(object{"alg": "HS256", "kid": kid(rs.Public())}), c(nil), byHMAC(rsaPEM))},
		{"HS256 with the RSA key as DER", badAlg, sign(h(object{"alg": "HS256", "kid": kid(rs.Public())}), c(nil), byHMAC(der))},
		{"HS256 with the RSA modulus", badAlg, sign(h(object{"alg": "HS256", "kid": kid(rs.Public())}), c(nil), byHMAC(rs.N.Bytes()))},
		{"HS256 with an empty key", badAlg, sign(h(object{"alg": "HS256"}), c(nil), byHMAC(nil))},
		{"PS256 with the RSA key", badAlg, sign(h(object{"alg": "PS256", "kid": kid(rs.Public())}), c(nil), byPSS(rs))},
		{"RS512 for the RSA key", badAlg, sign(h(object{"alg": "RS512", "kid": kid(rs.Public())}), c(nil), byRSA(rs))},
		{"RS256 under the name of another key", badAlg, sign(h(object{"alg": "RS256"}), c(nil), byRSA(rs))},
		{"EdDSA under the name of the RSA key", badAlg, sign(h(object{"kid": kid(rs.Public())}), c(nil), byKey)},
		{"the algorithm of the key and the signature of another", badSign, sign(h(object{"alg": "RS256", "kid": kid(rs.Public())}), c(nil), byKey)},
		{"ES256 with a signature of zeros", badSign, sign(h(object{"alg": "ES256", "kid": kid(ec.Public())}), c(nil), func(string) []byte { return make([]byte, 64) })},
		{"ES256 with an empty signature", badSign, sign(h(object{"alg": "ES256", "kid": kid(ec.Public())}), c(nil), unsigned)},
		{"EdDSA with a signature of zeros", badSign, sign(h(nil), c(nil), func(string) []byte { return make([]byte, 64) })},
		{"encrypted", badAlg, sign(h(object{"alg": "dir"}), c(nil), byKey)},

		// keys
		{"kid missing", extra, sign(h(object{"kid": nil}), c(nil), byKey)},
		{"kid empty", badKey, sign(h(object{"kid": ""}), c(nil), byKey)},
		{"kid a path", badKey, sign(h(object{"kid": "../../../dev/null"}), c(nil), byHMAC(nil))},
		{"kid a query", badKey, sign(h(object{"kid": "x' UNION SELECT 'key"}), c(nil), byHMAC([]byte("key")))},
		{"kid an address", badKey, sign(h(object{"kid": trap + "/kid"}), c(nil), byEd(evil))},
		{"kid of a key that is the forger's", badKey, sign(h(object{"kid": kid(evil.Public())}), c(nil), byEd(evil))},
		{"kid a number", badHeader, sign(h(object{"kid": 1}), c(nil), byKey)},
		{"kid a list", badHeader, sign(h(object{"kid": []string{kid(ed.Public())}}), c(nil), byKey)},
		{"kid twice", badHeader, sign(`{"alg":"EdDSA","typ":"at+jwt","kid":"`+kid(evil.Public())+`","kid":"`+kid(ed.Public())+`"}`, c(nil), byKey)},
		{"alg twice", badHeader, sign(`{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"`+kid(ed.Public())+`"}`, c(nil), byKey)},
		{"signed by another", badSign, sign(h(nil), c(nil), byEd(evil))},
		{"a key in the header: jwk", badHeader, sign(h(object{"jwk": evilJWK}), c(nil), byEd(evil))},
		{"a key in the header: jwk, and no kid", badHeader, sign(h(object{"jwk": evilJWK, "kid": nil}), c(nil), byEd(evil))},
		{"a key at an address: jku", extra, sign(h(object{"jku": trap + "/jku", "kid": kid(evil.Public())}), c(nil), byEd(evil))},
		{"a certificate at an address: x5u", extra, sign(h(object{"x5u": trap + "/x5u"}), c(nil), byEd(evil))},
		{"a certificate in the header: x5c", badHeader, sign(h(object{"x5c": []string{base64.StdEncoding.EncodeToString(der)}}), c(nil), byEd(evil))},
		{"a thumbprint: x5t", extra, sign(h(object{"x5t": "AAAA"}), c(nil), byKey)},

		// the rest of the header
		{"typ missing", extra, sign(h(object{"typ": nil}), c(nil), byKey)},
		{"typ JWT", badType, sign(h(object{"typ": "JWT"}), c(nil), byKey)},
		{"typ of a logout token", badType, sign(h(object{"typ": "logout+jwt"}), c(nil), byKey)},
		{"typ with another name", extra, sign(h(object{"typ": nil, "TYP": "at+jwt", "cty": "at+jwt"}), c(nil), byKey)},
		{"crit", badHeader, sign(h(object{"crit": []string{"exp"}}), c(nil), byKey)},
		{"crit, not a list", extra, sign(h(object{"crit": "exp"}), c(nil), byKey)},
		{"b64 false", badHeader, sign(h(object{"b64": false, "crit": []string{"b64"}}), c(nil), byKey)},
		{"compressed", extra, sign(h(object{"zip": "DEF"}), c(nil), byKey)},
		{"header a list", badHeader, sign(`["alg","EdDSA"]`, c(nil), byKey)},
		{"header null", extra, sign(`null`, c(nil), byKey)},
		{"header empty", badHeader, sign(``, c(nil), byKey)},
		{"header nested deeply", badHeader, sign(strings.Repeat(`{"a":`, 400)+"1"+strings.Repeat("}", 400), c(nil), byKey)},
		{"something after the header", badHeader, sign(h(nil)+`{}`, c(nil), byKey)},

		// claims
		{"iss of another", badIssuer, sign(h(nil), c(object{"iss": "https://evil.example"}), byKey)},
		{"iss with a slash", badIssuer, sign(h(nil), c(object{"iss": issuer + "/"}), byKey)},
		{"iss in capitals", badIssuer, sign(h(nil), c(object{"iss": strings.ToUpper(issuer)}), byKey)},
		{"iss missing", badIssuer, sign(h(nil), c(object{"iss": nil}), byKey)},
		{"iss twice", badClaims, sign(h(nil), strings.Replace(c(nil), "{", `{"iss":"https://evil.example",`, 1), byKey)},
		{"aud of another", badAud, sign(h(nil), c(object{"aud": "https://other.example"}), byKey)},
		{"aud that begins alike", badAud, sign(h(nil), c(object{"aud": audience + ".evil.example"}), byKey)},
		{"aud missing", badAud, sign(h(nil), c(object{"aud": nil}), byKey)},
		{"aud null", badAud, sign(h(nil), strings.Replace(c(nil), `"aud":"`+audience+`"`, `"aud":null`, 1), byKey)},
		{"aud a list", badClaims, sign(h(nil), c(object{"aud": []string{audience, "https://other.example"}}), byKey)},
		{"aud the client", badAud, sign(h(nil), c(object{"aud": "client", "client_id": "client"}), byKey)},
		{"sub missing", noSession, sign(h(nil), c(object{"sub": nil}), byKey)},
		{"sub in capitals", noSession, sign(h(nil), c(object{"sub": nil, "SUB": "ann"}), byKey)},
		{"sub a number", badClaims, sign(h(nil), c(object{"sub": 1}), byKey)},
		{"sub twice", badClaims, sign(h(nil), strings.Replace(c(nil), "{", `{"sub":"eve",`, 1), byKey)},
		{"sub twice, spelled differently", badClaims, sign(h(nil), strings.Replace(c(nil), "{", `{"s\u0075b":"eve",`, 1), byKey)},
		{"sid missing", noSession, sign(h(nil), c(object{"sid": nil}), byKey)},
		{"sid in capitals", noSession, sign(h(nil), c(object{"sid": nil, "SID": good.SID}), byKey)},
		{"exp past", expired, sign(h(nil), c(object{"exp": now - 31}), byKey)},
		{"exp missing", expired, sign(h(nil), c(object{"exp": nil}), byKey)},
		{"exp zero", expired, sign(h(nil), c(object{"exp": 0}), byKey)},
		{"exp below zero", expired, sign(h(nil), c(object{"exp": -1 << 63}), byKey)},
		{"exp a text", badClaims, sign(h(nil), c(object{"exp": "99999999999"}), byKey)},
		{"exp too large to count", badClaims, sign(h(nil), c(object{"exp": json.RawMessage("1e400")}), byKey)},
		{"exp twice", badClaims, sign(h(nil), strings.Replace(c(object{"exp": now - 100}), "{", `{"exp":99999999999,`, 1), byKey)},
		{"nbf to come", early, sign(h(nil), c(object{"nbf": now + 60}), byKey)},
		{"nbf far to come", early, sign(h(nil), c(object{"nbf": 1<<63 - 1}), byKey)},
		{"claims a list", badClaims, sign(h(nil), "["+c(nil)+"]", byKey)},
		{"claims empty", badClaims, sign(h(nil), "", byKey)},
		{"something after the claims", badClaims, sign(h(nil), c(nil)+`{}`, byKey)},
		{"nested: a token as claims", badClaims, sign(h(nil), whole, byKey)},
		{"nested: a token as claims, and cty", extra, sign(h(object{"cty": "JWT"}), whole, byKey)},
		{"nested deeply", badClaims, sign(h(nil), strings.Repeat("[", 1000)+strings.Repeat("]", 1000), byKey)},

		// spelling
		{"other claims under the signature", badSign, parts[0] + "." + b64.EncodeToString([]byte(c(object{"sub": "eve"}))) + "." + parts[2]},
		{"the header with a space", badSign, b64.EncodeToString([]byte(" "+h(nil))) + "." + parts[1] + "." + parts[2]},
		{"signature cut", badSign, whole[:len(whole)-6]},
		{"signature missing", badSign, parts[0] + "." + parts[1] + "."},
		{"signature spelled differently", malformed, respelled},
		{"padding", malformed, whole + "="},
		{"four parts", malformed, whole + "." + parts[2]},
		{"two parts", malformed, parts[0] + "." + parts[1]},
		{"five parts", malformed, whole + "." + parts[1] + "." + parts[2]},
		{"other base64", malformed, strings.Replace(whole, parts[2], "+/"+parts[2][2:], 1)},
		{"JSON", malformed, `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`},
		{"oversized", malformed, sign(h(nil), c(object{"pad": strings.Repeat("a", 4096)}), byKey)},
		{"empty", malformed, ""},
		{"dots", badHeader, ".."},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := service.Verify(t.Context(), test.token)
			if !errors.Is(err, accesstoken.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the verifier says %v, want %q", err, test.want)
			}
			if got := ask(t, "GET", service.url, bearer(test.token), nil); got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
				t.Errorf("the service says %+v", got)
			}
			if got := ask(t, "GET", s.url+"/me", bearer(test.token), nil); got.status != http.StatusUnauthorized {
				t.Errorf("the site says %+v", got)
			}
			if test.token != "" && s.introspect(test.token) {
				t.Error("it is active")
			}
		})
	}
	if fetched != "" {
		t.Errorf("somebody fetched %s", fetched)
	}

	// What the session of a token is, the store says.
	for name, test := range map[string]struct {
		sid       string
		atService int
	}{
		"sid of nobody":     {stranger.SID[:23] + good.SID[23:], http.StatusUnauthorized},
		"sid malformed":     {"x y", http.StatusUnauthorized},
		"sid without user":  {good.SID[23:], http.StatusUnauthorized},
		"sid of a stranger": {stranger.SID, http.StatusOK}, // it is the issuer who says so
	} {
		token := sign(h(nil), c(object{"sid": test.sid}), byKey)
		if got := ask(t, "GET", service.url, bearer(token), nil); got.status != test.atService {
			t.Errorf("%s: the service says %+v", name, got)
		}
		if got := ask(t, "GET", s.url+"/me", bearer(token), nil); got.status != http.StatusUnauthorized {
			t.Errorf("%s: the site says %+v", name, got)
		}
		if s.introspect(token) {
			t.Errorf("%s: it is active", name)
		}
	}

	// All of it is refused for what is wrong, as these are not.
	for name, token := range map[string]string{
		"EdDSA":                    whole,
		"ES256":                    sign(h(object{"alg": "ES256", "kid": kid(ec.Public())}), c(nil), byEC(ec)),
		"RS256":                    sign(h(object{"alg": "RS256", "kid": kid(rs.Public())}), c(nil), byRSA(rs)),
		"iat to come":              sign(h(nil), c(object{"iat": now + 600}), byKey),
		"clocks that are apart":    sign(h(nil), c(object{"exp": now - 20, "nbf": now + 20}), byKey),
		"a claim that is not ours": sign(h(nil), c(object{"scope": "all"}), byKey),
	} {
		if got := ask(t, "GET", service.url, bearer(token), nil); got.status != http.StatusOK || got.body != "ann" {
			t.Errorf("%s: the service says %+v", name, got)
		}
		if got := ask(t, "GET", s.url+"/me", bearer(token), nil); got.status != http.StatusOK || got.body != "ann" {
			t.Errorf("%s: the site says %+v", name, got)
		}
		if !s.introspect(token) {
			t.Errorf("%s: it is not active", name)
		}
	}
}
