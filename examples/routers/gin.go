package main

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
)

func ginEngine(sessions *revoke.Manager) http.Handler {
	r := newGin()
	addGinRoutes(r, sessions)
	return sessions.Track(r)
}

func newGin() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(gin.Recovery())
	r.RedirectTrailingSlash = false // or DELETE /sessions/ becomes DELETE /sessions
	return r
}

func addGinRoutes(r *gin.Engine, sessions *revoke.Manager) {
	r.POST("/login", func(c *gin.Context) {
		if err := sessions.Login(c.Request.Context(), c.PostForm("user")); err != nil {
			c.String(http.StatusBadRequest, "Who are you?\n")
			return
		}
		c.String(http.StatusOK, "Signed in.\n")
	})
	r.POST("/login/stream", func(c *gin.Context) {
		if err := sessions.Login(c.Request.Context(), c.PostForm("user")); err != nil {
			c.String(http.StatusBadRequest, "Who are you?\n")
			return
		}
		c.String(http.StatusOK, "Signed in.\n")
		c.Writer.Flush()
		<-c.Request.Context().Done()
	})
	r.GET("/me", func(c *gin.Context) {
		current, signedIn := sessions.Current(c.Request.Context())
		if !signedIn {
			c.AbortWithStatus(http.StatusUnauthorized)
			return
		}
		c.String(http.StatusOK, "Hello, %s.\n", current.UserID)
	})

	r.GET("/sessions", gin.WrapH(sessions.ListHandler()))
	r.DELETE("/sessions/:id", gin.WrapH(sessions.RevokeHandler()))
	r.DELETE("/sessions", gin.WrapH(sessions.RevokeOthersHandler()))

	api := gin.WrapH(sessions.Handler("/api/auth/sessions"))
	r.Any("/api/auth/sessions", api)
	r.Any("/api/auth/sessions/*id", api)
	r.Any("/account/sessions", gin.WrapH(page.New(sessions, page.Options{LoginURL: "/"})))
}
