package memcachestore_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/bradfitz/gomemcache/memcache"

	"github.com/revoke-sessions/revoke/store/memcachestore"
)

var _ scs.Store = (*memcachestore.Visitors)(nil)

func TestVisitors(t *testing.T) {
	server := start(t)
	client := server.client()
	v := memcachestore.NewVisitors(client)
	tokens := []string{"a", "A", "", " ", "a b", "a\r\nflush_all", "\x00", strings.Repeat("a", 4000), "é"}
	for i, token := range tokens {
		if _, found, err := v.Find(token); found || err != nil {
			t.Fatalf("Find of an unknown token %q: %v, %v", token, found, err)
		}
		check(v.Delete(token))
		check(v.Commit(token, []byte{byte(i)}, time.Now().Add(time.Hour)))
	}
	for i, token := range tokens {
		if data, found, err := v.Find(token); !found || err != nil || !bytes.Equal(data, []byte{byte(i)}) {
			t.Fatalf("Find of %q returned %v, %v, %v", token, data, found, err)
		}
	}
	for _, item := range server.items() {
		if !strings.HasPrefix(item.key, "scs:session:") || len(item.key) != len("scs:session:")+43 {
			t.Errorf("an item has the key %q", item.key)
		}
	}
	check(v.Commit("a", []byte("replaced"), time.Now().Add(40*24*time.Hour)))
	if data, found, _ := v.Find("a"); !found || string(data) != "replaced" {
		t.Errorf("Find returned %q, %v", data, found)
	}
	check(v.Delete("a"))
	if _, found, err := v.Find("a"); found || err != nil {
		t.Errorf("Find of a deleted session returned %v, %v", found, err)
	}
	check(v.Commit("expired", nil, time.Now()))
	if _, found, err := v.Find("expired"); found || err != nil {
		t.Errorf("Find of an expired session returned %v, %v", found, err)
	}
	if err := v.Commit("large", make([]byte, 1<<20), time.Now().Add(time.Hour)); !errors.Is(err, memcachestore.ErrTooLarge) {
		t.Errorf("Commit of a megabyte: %v", err)
	}
	for _, item := range server.items() {
		check(client.Set(&memcache.Item{Key: item.key, Value: []byte{9}}))
	}
	if _, found, err := v.Find("A"); found || err == nil {
		t.Errorf("Find of a value of another version returned %v, %v", found, err)
	}
}

func TestVisitorsOfSCS(t *testing.T) {
	sm := scs.New()
	sm.Store = memcachestore.NewVisitors(start(t).client())
	web := httptest.NewServer(sm.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/put":
			sm.Put(r.Context(), "text", "hello")
		case "/renew":
			check(sm.RenewToken(r.Context()))
		case "/destroy":
			check(sm.Destroy(r.Context()))
		}
		io.WriteString(w, sm.GetString(r.Context(), "text"))
	})))
	t.Cleanup(web.Close)
	browser := web.Client()
	browser.Jar = must(cookiejar.New(nil))
	for _, step := range []struct{ path, want string }{
		{"/", ""}, {"/put", "hello"}, {"/", "hello"}, {"/renew", "hello"}, {"/", "hello"}, {"/destroy", ""}, {"/", ""},
	} {
		response := must(browser.Get(web.URL + step.path))
		body := must(io.ReadAll(response.Body))
		response.Body.Close()
		if string(body) != step.want {
			t.Fatalf("%s answered %q, want %q", step.path, body, step.want)
		}
	}
}
