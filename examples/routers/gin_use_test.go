package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// TestGinWriter signs in by handlers that answer in each way that gin has.
func TestGinWriter(t *testing.T) {
	ways := map[string]gin.HandlerFunc{
		"a string": func(c *gin.Context) { c.Writer.WriteString("in") },
		"bytes":    func(c *gin.Context) { c.Data(http.StatusOK, "text/plain", []byte("in")) },
		"a status": func(c *gin.Context) { c.Status(http.StatusOK) },
		"an abort": func(c *gin.Context) { c.AbortWithStatus(http.StatusOK) },
		"a flush":  func(c *gin.Context) { c.Writer.Flush() },
		"a hijacked connection": func(c *gin.Context) {
			conn, _, err := c.Writer.Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			cookie := c.Writer.Header().Get("Set-Cookie") // which the handler sends by itself
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nSet-Cookie: "+cookie+"\r\n\r\n")
		},
	}
	for name, answer := range ways {
		t.Run(name, func(t *testing.T) {
			sessions := revoke.New(scs.New(), store.NewMemory())
			r := newGin()
			r.Use(trackGin(sessions))
			r.GET("/in", func(c *gin.Context) {
				if err := sessions.Login(c.Request.Context(), "ann"); err != nil {
					t.Error(err)
				}
				answer(c)
			})
			server := httptest.NewServer(r)
			defer server.Close()
			resp, err := http.Get(server.URL + "/in")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if cookie := resp.Header.Get("Set-Cookie"); strings.Count(cookie, ".") != 2 || resp.StatusCode != http.StatusOK {
				t.Errorf("status %d, cookie %q", resp.StatusCode, cookie)
			}
		})
	}
}
