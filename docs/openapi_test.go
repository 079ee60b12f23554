package docs_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// TestOpenAPI shows that the description is of the prefix and of the cookie that the
// application has. That it is true is shown in test/openapi.
func TestOpenAPI(t *testing.T) {
	for _, test := range []struct {
		name, prefix, list, one string
	}{
		{"a prefix", "/v1/devices", `"/v1/devices":`, `"/v1/devices/{id}":`},
		{"a prefix with a slash at its end", "/v1/devices/", `"/v1/devices":`, `"/v1/devices/{id}":`},
		{"the empty prefix", "", `"/":`, `"/{id}":`},
	} {
		t.Run(test.name, func(t *testing.T) {
			sm := scs.New()
			revoke.Secure(sm)
			h := revoke.New(sm, store.NewMemory()).OpenAPI(test.prefix)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.yaml", nil))
			body := w.Body.String()
			paths := regexp.MustCompile(`(?m)^  ("/.*)$`).FindAllStringSubmatch(body, -1)
			if len(paths) != 2 || paths[0][1] != test.list || paths[1][1] != test.one {
				t.Errorf("the paths: %q", paths)
			}
			if !strings.Contains(body, `name: "__Host-session"`) {
				t.Error("the cookie's name is missing")
			}
			if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != "application/yaml" {
				t.Errorf("%d, %s", w.Code, got)
			}
		})
	}
}

func TestOpenAPIMethod(t *testing.T) {
	h := revoke.New(scs.New(), store.NewMemory()).OpenAPI("/")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/openapi.yaml", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("%d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

// TestCodesAreTheSame shows that the code, its comment and the description have the
// same codes.
func TestCodesAreTheSame(t *testing.T) {
	source := read(t, "problem.go")
	all := func(pattern, text string) (codes []string) {
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			codes = append(codes, match[1])
		}
		slices.Sort(codes)
		return codes
	}
	declared := all(`(?m)^\tcode\w+ += "(\w+)"`, source)
	if len(declared) < 12 {
		t.Fatalf("the codes: %q", declared)
	}
	if documented := all(`(?m)^//\t\d{3} +(\w+)`, source); !slices.Equal(documented, declared) {
		t.Errorf("the comment of Problem has %q, the code %q", documented, declared)
	}
	if described := all(`code: \{ const: (\w+) \}`, read(t, "docs/openapi.yaml")); !slices.Equal(described, declared) {
		t.Errorf("the description has %q, the code %q", described, declared)
	}
}
