package main

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
)

func echo4(sessions *revoke.Manager) http.Handler {
	e := echo.New()
	e.Use(echo.WrapMiddleware(sessions.Track))
	e.POST("/login", func(c echo.Context) error {
		if err := sessions.Login(c.Request().Context(), c.FormValue("user")); err != nil {
			return echo.NewHTTPError(http.StatusBadRequest, "Who are you?")
		}
		return c.String(http.StatusOK, "Signed in.\n")
	})
	e.POST("/login/stream", func(c echo.Context) error {
		if err := sessions.Login(c.Request().Context(), c.FormValue("user")); err != nil {
			return echo.NewHTTPError(http.StatusBadRequest, "Who are you?")
		}
		if err := c.String(http.StatusOK, "Signed in.\n"); err != nil {
			return err
		}
		c.Response().Flush()
		<-c.Request().Context().Done()
		return nil
	})
	e.GET("/me", func(c echo.Context) error {
		current, signedIn := sessions.Current(c.Request().Context())
		if !signedIn {
			return echo.NewHTTPError(http.StatusUnauthorized, "You are not signed in.")
		}
		return c.String(http.StatusOK, "Hello, "+current.UserID+".\n")
	})

	e.GET("/sessions", echo.WrapHandler(sessions.ListHandler()))
	e.DELETE("/sessions/:id", echo.WrapHandler(sessions.RevokeHandler()))
	e.DELETE("/sessions", echo.WrapHandler(sessions.RevokeOthersHandler()))

	api := echo.WrapHandler(sessions.Handler("/api/auth/sessions"))
	e.Any("/api/auth/sessions", api)
	e.Any("/api/auth/sessions/*", api)
	e.Any("/account/sessions", echo.WrapHandler(page.New(sessions, page.Options{LoginURL: "/"})))
	return e
}
