package openapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// A situation is one in which the API answers in a way of its own. It is made once
// sessions are there, and the request is about to be sent.
type situation struct {
	name    string
	arrange func(*site)
	answer  answer
	of      []string // the operations that can be in it
}

// An answer is a status and, if it is not 200, the code of the problem.
type answer struct {
	status int
	code   string
}

const (
	list   = "listSessions"
	others = "revokeOtherSessions"
	one    = "revokeSession"
)

var situations = []situation{
	{"a session", func(*site) {}, answer{200, ""}, []string{list, others, one}},
	{"labels", func(s *site) {
		s.Sessions.Describe = func(*http.Request) map[string]string { return map[string]string{"place": "Lisbon"} }
		s.browser.Post("/cart?put=book")
	}, answer{200, ""}, []string{list}},
	{"no address", func(s *site) {
		s.browser.Peer = "nowhere"
		s.browser.Post("/cart?put=book")
	}, answer{200, ""}, []string{list}},
	{"no session", func(s *site) { s.browser.Cookie = "" }, answer{401, "unauthenticated"}, []string{list, others, one}},
	{"a revoked session", func(s *site) {
		if _, err := s.Sessions.RevokeAll(context.Background(), "ann"); err != nil {
			panic(err)
		}
	}, answer{401, "session_revoked"}, []string{list, others, one}},
	{"another site", func(s *site) { s.browser.Header.Set("Sec-Fetch-Site", "cross-site") }, answer{403, "cross_origin"}, []string{others, one}},
	{"a policy that wants a proof", func(s *site) {
		s.Sessions.Authorize = func(context.Context, revoke.Action) error {
			return &revoke.ReauthenticationError{MaxAge: time.Minute}
		}
	}, answer{403, "reauthentication_required"}, []string{others, one}},
	{"a policy that says no", func(s *site) {
		s.Sessions.Authorize = func(context.Context, revoke.Action) error { return errors.New("no") }
	}, answer{403, "refused"}, []string{others, one}},
	{"an id of nobody's", func(s *site) { s.target = strings.Repeat("A", 22) }, answer{404, "session_not_found"}, []string{one}},
	{"an id that is none", func(s *site) { s.target = "phone" }, answer{404, "session_not_found"}, []string{one}},
	{"a method that is not there", func(s *site) { s.method = "PATCH" }, answer{405, "method_not_allowed"}, []string{list, others, one}},
	{"no confirmation", func(s *site) { s.Sessions.Confirm = true }, answer{428, "confirmation_required"}, []string{others}},
	{"a limit", func(s *site) {
		s.Sessions.Limiter = revoke.NewLimiter(1, time.Hour)
		s.browser.Delete(testapp.APIPath + "/none")
	}, answer{429, "rate_limited"}, []string{others, one}},
	{"no Track", func(s *site) { s.Handler = s.Mux }, answer{500, "misconfigured"}, []string{list, others, one}},
	{"a store that is down", func(s *site) {
		s.store.Fail = func(testapp.Call) error { return io.ErrUnexpectedEOF }
	}, answer{503, "store_unavailable"}, []string{list, others, one}},
	{"replicas that are away", func(s *site) { s.store.replicasAway = true }, answer{503, "revocation_not_replicated"}, []string{others, one}},
}

// TestAnswers shows that each answer of the API is one that the document describes,
// and that the API gives each answer that it describes.
func TestAnswers(t *testing.T) {
	document := describe(t)
	given := make(map[string][]answer)
	for _, situation := range situations {
		for _, operation := range situation.of {
			t.Run(situation.name+"/"+operation, func(t *testing.T) {
				s := newSite(t, operation)
				situation.arrange(s)
				got := s.ask(t, document)
				if got != situation.answer {
					t.Errorf("the answer is %v, want %v", got, situation.answer)
				}
				given[operation] = append(given[operation], got)
			})
		}
	}
	for operation, answers := range described(t) {
		for _, answer := range answers {
			if !slices.Contains(given[operation], answer) {
				t.Errorf("%s is described to answer %v, and never did", operation, answer)
			}
		}
	}
}

// TestDocument shows that the document is one of OpenAPI 3.1.
func TestDocument(t *testing.T) {
	valid, errs := describe(t).ValidateDocument()
	if !valid {
		for _, err := range errs {
			t.Error(err)
			for _, reason := range err.SchemaValidationErrors {
				t.Error(reason)
			}
		}
	}
}

// A site is an application, and the request that is to be sent to it.
type site struct {
	*testapp.App
	store   *replicated
	browser *testapp.Browser
	method  string
	target  string // the id; "" if the request has none
	asks    string // the method that the document has in the place of method
}

func newSite(t *testing.T, operation string) *site {
	st := &replicated{Tap: testapp.NewTap(store.NewMemory())}
	app := testapp.Over(scs.New(), st)
	s := &site{App: app, store: st, browser: app.SignedIn(t, "ann"), method: "DELETE", asks: "DELETE"}
	phone := app.SignedIn(t, "ann")
	switch operation {
	case list:
		s.method, s.asks = "GET", "GET"
	case one:
		s.target = phone.ID()
	}
	return s
}

// ask sends the request, and holds the answer against the document.
func (s *site) ask(t *testing.T, document validator.Validator) answer {
	path := testapp.APIPath
	if s.target != "" {
		path += "/" + s.target
	}
	w, r := httptest.NewRecorder(), s.browser.Request(s.method, path)
	s.Handler.ServeHTTP(w, r)
	r.Method = s.asks
	if valid, errs := document.ValidateHttpResponse(r, w.Result()); !valid {
		for _, err := range errs {
			t.Error(err)
			for _, reason := range err.SchemaValidationErrors {
				t.Error(reason)
			}
		}
		t.Logf("%d %s", w.Code, w.Body)
	}
	var problem struct{ Code string }
	if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
		t.Error(err)
	}
	return answer{w.Code, problem.Code}
}

// A replicated store can be without its replicas.
type replicated struct {
	*testapp.Tap
	replicasAway bool
}

func (s *replicated) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	record, err := s.Tap.Revoke(ctx, user, id, why)
	if err == nil && s.replicasAway {
		err = store.ErrNotReplicated
	}
	return record, err
}

func (s *replicated) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	ended, err := s.Tap.RevokeAll(ctx, user, keep, why)
	if err == nil && s.replicasAway {
		err = store.ErrNotReplicated
	}
	return ended, err
}

// serve returns the document, as an application serves it.
func serve(t *testing.T) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	revoke.New(scs.New(), store.NewMemory()).OpenAPI(testapp.APIPath).ServeHTTP(w, httptest.NewRequest("GET", "/openapi.yaml", nil))
	return w.Body.Bytes()
}

func parse(t *testing.T) libopenapi.Document {
	t.Helper()
	document, err := libopenapi.NewDocument(serve(t))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func describe(t *testing.T) validator.Validator {
	t.Helper()
	v, errs := validator.NewValidator(parse(t))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return v
}

// described returns the answers that the document has, by operation.
func described(t *testing.T) map[string][]answer {
	t.Helper()
	model, err := parse(t).BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	answers := make(map[string][]answer)
	for path := range model.Model.Paths.PathItems.ValuesFromOldest() {
		for operation := range path.GetOperations().ValuesFromOldest() {
			for status, response := range operation.Responses.Codes.FromOldest() {
				for _, code := range codes(t, response) {
					var number int
					fmt.Sscan(status, &number)
					answers[operation.OperationId] = append(answers[operation.OperationId], answer{number, code})
				}
			}
		}
	}
	if len(answers) != 3 {
		t.Fatalf("the operations: %v", answers)
	}
	return answers
}

// codes returns the codes of the problems that a response can be, and "" if it is
// none.
func codes(t *testing.T, response *v3.Response) (codes []string) {
	t.Helper()
	content, isProblem := response.Content.Get("application/problem+json")
	if !isProblem {
		return []string{""}
	}
	problems := content.Schema.Schema().OneOf
	if problems == nil {
		problems = append(problems, content.Schema)
	}
	for _, problem := range problems {
		code, ok := problem.Schema().Properties.Get("code")
		if !ok {
			t.Fatalf("a problem has no code: %s", problem.GetReference())
		}
		codes = append(codes, code.Schema().Const.Value)
	}
	return codes
}
