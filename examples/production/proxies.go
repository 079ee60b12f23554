package main

import (
	"net"
	"net/http"
	"net/netip"
	"slices"

	"github.com/realclientip/realclientip-go"
)

// clientIP returns a function that believes X-Forwarded-For from the trusted
// proxies, as far as they can know, and from nobody else. Which proxies to trust
// is the whole of its security: a client that reaches the server from one of
// these addresses can choose its own.
func clientIP(trusted []net.IPNet) func(*http.Request) netip.Addr {
	peerOf := realclientip.RemoteAddrStrategy{}
	forwarded := realclientip.Must(realclientip.NewRightmostTrustedRangeStrategy("X-Forwarded-For", trusted))
	return func(r *http.Request) netip.Addr {
		peer, _ := netip.ParseAddr(peerOf.ClientIP(nil, r.RemoteAddr))
		isProxy := slices.ContainsFunc(trusted, func(proxies net.IPNet) bool {
			return proxies.Contains(peer.WithZone("").AsSlice())
		})
		if isProxy {
			if client, err := netip.ParseAddr(forwarded.ClientIP(r.Header, r.RemoteAddr)); err == nil {
				return client
			}
		}
		return peer
	}
}
