package site

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// Serve listens on address, prints what can be done there, and serves until it fails.
func Serve(address string, h http.Handler) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf(tour, "http://"+l.Addr().String())
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(l)
}

const tour = `Listening on %[1]s

Open it in two browsers, sign in, and see where you are signed in. Or paste:

Sign in on three devices:
  curl -c phone  -d user=ann %[1]s/login
  curl -c laptop -d user=ann %[1]s/login
  curl -c tablet -d user=ann %[1]s/login

Where is ann signed in?
  curl -b laptop %[1]s/api/auth/sessions

The phone is lost. End its session, and see that it is over:
  phone=$(curl -s -b phone %[1]s/api/auth/sessions | sed 's/.*"id":"\([^"]*\)","current":true.*/\1/')
  curl -b laptop -X DELETE %[1]s/api/auth/sessions/$phone
  curl -b phone %[1]s/me

End all sessions but the laptop's, and see that the tablet's is over:
  curl -b laptop -X DELETE %[1]s/api/auth/sessions
  curl -b tablet %[1]s/me
  curl -b laptop %[1]s/me
`
