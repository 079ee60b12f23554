package main

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
)

// proxy passes requests on to a service, with an access token in the place of the cookie.
func proxy(sessions *revoke.Manager, tokens *accesstoken.Tokens, service *url.URL) http.Handler {
	p := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(service)
			p.Out.Header.Del("Cookie")        // which is for this server
			p.Out.Header.Del("Authorization") // which the browser may have set
			if token, _, err := tokens.Mint(p.In.Context()); err == nil {
				p.Out.Header.Set("Authorization", "Bearer "+token)
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			log.Print("the service does not answer: ", err)
			http.Error(w, "The service does not answer. Is it running?", http.StatusBadGateway)
		},
	}
	// Other sites can have the browser send the cookie, so they must be kept out here.
	return sessions.Require(http.NewCrossOriginProtection().Handler(p))
}
