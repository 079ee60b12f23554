package accesstoken_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// FuzzToken shows that a token has one spelling only: any other text opens nothing.
func FuzzToken(f *testing.F) {
	s := newSite(f, store.NewMemory(), edKey()).serve()
	v, good := s.tokens.Verifier(), s.access("ann")
	for i, c := range []string{"", "A", ".", "=", " ", "\n", "\x00", "é", "-"} {
		f.Add(0, 0, c)
		f.Add(i*40, 1, c)
		f.Add(len(good)-1, 1, c)
		f.Add(len(good), 0, c)
	}
	f.Fuzz(func(t *testing.T, at, drop int, insert string) {
		at = max(0, min(at, len(good)))
		drop = max(0, min(drop, len(good)-at))
		token := good[:at] + insert + good[at+drop:]
		_, err := v.Verify(t.Context(), token)
		if (err == nil) != (token == good) {
			t.Errorf("%q: %v", token, err)
		}
	})
}

// FuzzSigned shows that what is signed with the key is taken only if it says what it
// should, as encoding/json reads it too: with the names in small letters.
func FuzzSigned(f *testing.F) {
	key := edKey()
	s := newSite(f, store.NewMemory(), key).serve()
	v := s.tokens.Verifier()
	c, err := v.Verify(f.Context(), s.access("ann"))
	if err != nil {
		f.Fatal(err)
	}
	header := `{"alg":"EdDSA","kid":"` + kid(key.Public()) + `","typ":"at+jwt"}`
	claims := text(c)
	f.Add(header, claims)
	for _, old := range []string{`"sub"`, `"aud"`, `"iss"`, `"exp"`, `"sid"`} {
		f.Add(header, strings.Replace(claims, old, strings.ToUpper(old), 1))
		f.Add(header, strings.Replace(claims, old, `"x"`, 1))
	}
	for _, change := range [][2]string{{"EdDSA", "none"}, {"at+jwt", "JWT"}, {"{", `{"crit":["x"],`}, {`"kid"`, `"KID"`}, {"{", `{"alg":"none",`}} {
		f.Add(strings.Replace(header, change[0], change[1], 1), claims)
	}
	f.Fuzz(func(t *testing.T, header, claims string) {
		_, err := v.Verify(t.Context(), sign(header, claims, byEd(key)))
		if err != nil {
			return
		}
		var h, body map[string]any
		if json.Unmarshal([]byte(header), &h) != nil || json.Unmarshal([]byte(claims), &body) != nil {
			t.Fatalf("taken, and is no JSON: %q %q", header, claims)
		}
		exp, _ := body["exp"].(float64)
		if len(h) != 3 || h["alg"] != "EdDSA" || h["typ"] != "at+jwt" || h["kid"] != kid(key.Public()) ||
			body["iss"] != issuer || body["aud"] != audience || body["sid"] != c.SID || exp < float64(time.Now().Unix()-60) {
			t.Errorf("taken: %q %q", header, claims)
		}
	})
}

// FuzzAuthorization shows that a request gets through with the one token only.
func FuzzAuthorization(f *testing.F) {
	s := newSite(f, store.NewMemory(), edKey()).serve()
	h, good := s.tokens.Verifier().Middleware(greeting), s.access("ann")
	for _, header := range []string{"Bearer TOKEN", "bearer   TOKEN", "Bearer\tTOKEN", "Bearer TOKEN ", "Basic TOKEN", "Bearer", "", "TOKEN", "Bearer TOKEN,TOKEN", "Bearer TOKEN, Bearer TOKEN", "Bearer\u00a0TOKEN"} {
		f.Add(header, "")
		f.Add("Basic x", header)
	}
	f.Fuzz(func(t *testing.T, header, second string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = []string{strings.ReplaceAll(header, "TOKEN", good)}
		if second != "" {
			r.Header.Add("Authorization", strings.ReplaceAll(second, "TOKEN", good))
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fields := strings.Fields(r.Header.Get("Authorization"))
		may := second == "" && len(fields) == 2 && strings.EqualFold(fields[0], "Bearer") && fields[1] == good
		if w.Code != http.StatusUnauthorized && !(may && w.Code == http.StatusOK) {
			t.Errorf("%q, %q: %d", header, second, w.Code)
		}
	})
}

// FuzzForm shows that the token endpoint gives nothing to a form that does not have the
// one token once, and that it always answers in JSON.
func FuzzForm(f *testing.F) {
	s := newSite(f, store.NewMemory(), edKey()).serve()
	good := s.issue("ann")
	const form = "application/x-www-form-urlencoded"
	for _, body := range []string{
		"grant_type=refresh_token&refresh_token=TOKEN", "refresh_token=TOKEN", "grant_type=refresh_token&refresh_token=TOKEN&refresh_token=TOKEN",
		"grant_type=refresh_token;refresh_token=TOKEN", "grant_type=refresh%5ftoken&refresh_token=TOKEN", "%zz", "grant_type=refresh_token&refresh_token=TOKEN%00",
		`{"grant_type":"refresh_token","refresh_token":"TOKEN"}`, "grant_type=refresh_token&refresh_token=+TOKEN",
	} {
		f.Add(form, body)
		f.Add(form+"; charset=x", body)
		f.Add("application/json", body)
		f.Add("multipart/form-data; boundary=x", body)
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		body = strings.ReplaceAll(body, "TOKEN", good)
		r := httptest.NewRequest("POST", "/token", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		s.tokens.Handler().ServeHTTP(w, r)
		values, err := url.ParseQuery(body)
		may := err == nil && len(body) <= 8<<10 && len(values["grant_type"]) == 1 && len(values["refresh_token"]) == 1 && values.Get("refresh_token") == good
		if w.Code != http.StatusBadRequest && !(may && w.Code == http.StatusOK) {
			t.Errorf("%q %q: %d", contentType, body, w.Code)
		}
		if !json.Valid(w.Body.Bytes()) || w.Code == http.StatusBadRequest && bytes.Contains(w.Body.Bytes(), []byte("access_token")) {
			t.Errorf("%q %q: %s", contentType, body, w.Body)
		}
	})
}
