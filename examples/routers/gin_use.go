package main

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/revoke-sessions/revoke"
)

func ginUse(sessions *revoke.Manager) http.Handler {
	r := newGin()
	r.Use(trackGin(sessions))
	addGinRoutes(r, sessions)
	return r
}

// trackGin is Track as a middleware of gin, for some routes of an engine.
func trackGin(sessions *revoke.Manager) gin.HandlerFunc {
	return func(c *gin.Context) {
		sessions.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.Writer, c.Request = ginWriter{c.Writer, w}, r
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
	}
}

// A ginWriter sends all that gin writes through the writer of Track, which saves the
// session before the first byte.
type ginWriter struct {
	gin.ResponseWriter
	tracked http.ResponseWriter
}

func (w ginWriter) Write(b []byte) (int, error)       { return w.tracked.Write(b) }
func (w ginWriter) WriteString(s string) (int, error) { return io.WriteString(w.tracked, s) }
func (w ginWriter) Flush()                            { w.tracked.(http.Flusher).Flush() }
func (w ginWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.tracked.(http.Hijacker).Hijack()
}
func (w ginWriter) WriteHeaderNow() {
	if !w.Written() {
		w.tracked.WriteHeader(w.Status())
		w.ResponseWriter.WriteHeaderNow()
	}
}
