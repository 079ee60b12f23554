package codec_test

import (
	"encoding/gob"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
)

// visitorsName is a type of the application's.
type visitorsName struct{ First, Last string }

func init() {
	gob.Register(visitorsName{})
	gob.Register(time.Time{})
}

func TestCodecWithScsAlone(t *testing.T) {
	moment := time.Date(2031, 2, 3, 4, 5, 6, 789, time.UTC)
	sm := scs.New() // the codec of the sessions that are there already
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "string", "ada")
		sm.Put(r.Context(), "int", 4711)
		sm.Put(r.Context(), "int32", int32(-5))
		sm.Put(r.Context(), "int64", int64(1<<40))
		sm.Put(r.Context(), "float", 1.5)
		sm.Put(r.Context(), "bool", true)
		sm.Put(r.Context(), "bytes", []byte("\xff"))
		sm.Put(r.Context(), "time", moment)
		sm.Put(r.Context(), "struct", visitorsName{First: "Ada"})
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		fmt.Fprint(w, sm.GetString(ctx, "string"), sm.GetInt(ctx, "int"), sm.GetInt32(ctx, "int32"), sm.GetInt64(ctx, "int64"),
			sm.GetFloat(ctx, "float"), sm.GetBool(ctx, "bool"), sm.GetBytes(ctx, "bytes"), sm.GetTime(ctx, "time"), sm.Get(ctx, "struct").(visitorsName).First)
	})
	const want = "ada4711 -5 1099511627776 1.5 true [255] 2031-02-03 04:05:06.000000789 +0000 UTCAda"

	for _, written := range []scs.Codec{revoke.Codec{}, scs.GobCodec{}} {
		t.Run(fmt.Sprintf("written by %T", written), func(t *testing.T) {
			srv := httptest.NewServer(sm.LoadAndSave(mux))
			defer srv.Close()
			jar, _ := cookiejar.New(nil)
			client := srv.Client()
			client.Jar = jar

			sm.Codec = written
			resp, err := client.Post(srv.URL, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()

			sm.Codec = revoke.Codec{}
			for range 2 {
				resp, err := client.Get(srv.URL)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK || string(body) != want {
					t.Errorf("got %d %q, want %q", resp.StatusCode, body, want)
				}
			}
		})
	}
}

func TestCodecErrorsSayWhatWasBeingDone(t *testing.T) {
	if _, err := (revoke.Codec{}).Encode(time.Now(), map[string]any{"key": make(chan int)}); err == nil || !strings.HasPrefix(err.Error(), "revoke: encode session data: ") {
		t.Errorf("Encode fails with %v", err)
	}
	if _, _, err := (revoke.Codec{}).Decode([]byte{0x83, 2}); err == nil || !strings.HasPrefix(err.Error(), "revoke: decode session data: ") {
		t.Errorf("Decode fails with %v", err)
	}
}

// Codec works with scs alone, and reads the sessions that are there already.
func ExampleCodec() {
	sm := scs.New()
	sm.Codec = revoke.Codec{}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /visit", func(w http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "visits", sm.GetInt(r.Context(), "visits")+1)
	})
	mux.HandleFunc("GET /visits", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, sm.GetInt(r.Context(), "visits"))
	})
	srv := httptest.NewServer(sm.LoadAndSave(mux))
	defer srv.Close()

	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar}
	for range 2 {
		if resp, err := client.Post(srv.URL+"/visit", "", nil); err == nil {
			resp.Body.Close()
		}
	}
	resp, err := client.Get(srv.URL + "/visits")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	visits, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s visits\n", visits)
	// Output: 2 visits
}
