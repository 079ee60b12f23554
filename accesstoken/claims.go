package accesstoken

import (
	"context"
)

// Claims are what a verified token says (RFC 9068, section 2.2). Times are in seconds
// since 1970.
type Claims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"` // the user ID
	SID       string `json:"sid"` // the session: see [revoke.Manager.SID]
	Audience  string `json:"aud"`
	ClientID  string `json:"client_id"`
	ID        string `json:"jti"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	NotBefore int64  `json:"nbf,omitempty"`
}

type claimsKey struct{}

// From returns the claims of a request under [Verifier.Middleware], and otherwise nil.
func From(ctx context.Context) *Claims {
	c, _ := ctx.Value(claimsKey{}).(*Claims)
	return c
}
