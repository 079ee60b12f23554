package site

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// A Client makes requests of servers. It is safe for concurrent use.
type Client struct{ http *http.Client }

// NewClient returns a client that keeps its connections open.
func NewClient() *Client {
	return &Client{&http.Client{
		Timeout:   15 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 128},
	}}
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// A Request is one request of a browser.
type Request struct {
	Server    string // its URL
	Method    string
	Path      string // with the query, if any
	UserAgent string // by which lists know the session
	Cookie    string // the token; may be empty
	Token     string // of an app, in the place of a cookie
}

// List, Revoke and RevokeOthers are the requests of revoke's API.
func List() Request                   { return Request{Method: "GET", Path: apiPath} }
func Revoke(id string) Request        { return Request{Method: "DELETE", Path: apiPath + "/" + id} }
func RevokeOthers() Request           { return Request{Method: "DELETE", Path: apiPath} }
func Get(path string) Request         { return Request{Method: "GET", Path: path} }
func Post(path string) Request        { return Request{Method: "POST", Path: path} }
func (r Request) To(s string) Request { r.Server = s; return r }

// As returns the request as the browser userAgent makes it, with its cookie.
func (r Request) As(userAgent, cookie string) Request {
	r.UserAgent, r.Cookie = userAgent, cookie
	return r
}

// An Answer is what came of a request.
type Answer struct {
	Status    int // zero where there was no answer, or not all of it
	SetCookie bool
	Cookie    string // the token that was set; empty where the cookie was cleared
	Update    string // Saved, Ended, Stale or Failed; empty where there was none
	answer
}

// Unknown reports whether the answer leaves open what was done.
func (a Answer) Unknown() bool { return a.Status == 0 || a.Status >= 500 }

// Do makes a request.
func (c *Client) Do(ctx context.Context, r Request) (a Answer) {
	request, err := http.NewRequestWithContext(ctx, r.Method, r.Server+r.Path, nil)
	if err != nil {
		return a
	}
	request.Header.Set("User-Agent", r.UserAgent)
	if r.Cookie != "" {
		request.AddCookie(&http.Cookie{Name: "session", Value: r.Cookie})
	}
	if r.Token != "" {
		request.Header.Set("Authorization", "Bearer "+r.Token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return a
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || json.Unmarshal(body, &a.answer) != nil {
		return Answer{}
	}
	a.Status, a.Update = response.StatusCode, response.Header.Get(outcomeHeader)
	for _, cookie := range response.Cookies() {
		if cookie.Name == "session" {
			a.SetCookie, a.Cookie = true, cookie.Value
		}
	}
	return a
}

// ID returns the public id in a token.
func ID(token string) string {
	if parts := strings.Split(token, "."); len(parts) == 3 {
		return parts[1]
	}
	return ""
}
