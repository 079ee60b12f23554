// Production is a server as it should face the world: TLS, a cookie that no
// other host can set, sessions on Redis that a copy of Redis does not give away,
// limits, a fresh proof before other sessions end, an audit log, alerts, and a
// shutdown that cuts nobody off. sessions.go is the part to copy.
//
// It has no passwords: to name a user is to be that user.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/realclientip/realclientip-go"

	"github.com/revoke-sessions/revoke/examples/internal/site"
)

type options struct {
	listen, redis       string
	certificate, tlsKey string
	keys                string
	trustedProxies      []net.IPNet
	anonymize           bool
	proofAge, hsts      time.Duration
	grace               time.Duration
}

func main() {
	o := options{keys: os.Getenv("SESSION_KEYS")}
	flag.StringVar(&o.listen, "listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	flag.StringVar(&o.redis, "redis", "127.0.0.1:6379", "`address` of Redis")
	flag.StringVar(&o.certificate, "tls-cert", "", "`file` with the certificate; without it the server signs one itself")
	flag.StringVar(&o.tlsKey, "tls-key", "", "`file` with the certificate's key")
	flag.BoolVar(&o.anonymize, "anonymize", false, "keep of addresses only the /24 or /48")
	flag.DurationVar(&o.proofAge, "proof-age", 15*time.Minute, "how old the proof of who a user is may be, for other sessions to end")
	flag.DurationVar(&o.hsts, "hsts", 365*24*time.Hour, "how long browsers are to use nothing but HTTPS")
	flag.DurationVar(&o.grace, "grace", 10*time.Second, "how long requests under way may take to end at a shutdown")
	flag.Func("trusted-proxies", "`addresses and ranges`, by commas, of the proxies whose X-Forwarded-For is true", func(s string) (err error) {
		o.trustedProxies, err = realclientip.AddressesAndRangesToIPNets(strings.Split(s, ",")...)
		return err
	})
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := run(ctx, o, log, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "production:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done, and then lets the requests under way end.
func run(ctx context.Context, o options, log *slog.Logger, out io.Writer) error {
	pool := site.RedisPool(o.redis) // with TLS and a password, where Redis is not on this host
	defer pool.Close()
	if err := site.CheckRedis(pool, o.redis); err != nil {
		return err
	}
	st, err := encryptedStore(pool, o.keys, log)
	if err != nil {
		return err
	}
	certificate, err := o.loadCertificate(log)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           newHandler(o, pool, st, log, out),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}},
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn), // handshakes that failed, panics
	}
	fmt.Fprintf(out, tour, "https://"+l.Addr().String(), o.proofAge)

	failed := make(chan error, 1)
	go func() { failed <- server.ServeTLS(l, "", "") }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping", slog.String("grace", o.grace.String()))
	ctx, cancel := context.WithTimeout(context.Background(), o.grace)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were cut off: %w", err), server.Close())
	}
	log.Info("stopped")
	return nil
}

const usage = `Production is a server with TLS, encrypted sessions on Redis, limits, step-up,
an audit log on the standard error, and alerts on the standard output.

SESSION_KEYS in the environment has the keys that sessions are encrypted with, as
"2026-11:<64 hex digits>,2026-10:<64 hex digits>". The first writes, all of them
read. "openssl rand -hex 32" makes one. To change it, put the new key behind the
old one and restart every server, then before it, and drop the old one when the
last session from before has expired.

`

const tour = `Listening on %[1]s

Open it in two browsers, which will warn of the certificate, or paste:

Sign in twice, on a phone and a laptop:
  curl -k -c phone  -d user=ann %[1]s/login
  curl -k -c laptop -d user=ann %[1]s/login

Where is ann signed in?
  curl -k -b laptop %[1]s/api/auth/sessions

End all sessions but the laptop's. Without ?confirm=true it only says how many:
  curl -k -b laptop -X DELETE '%[1]s/api/auth/sessions?confirm=true'

It refuses %[2]v after the sign-in, until the laptop's user proves again who they are:
  curl -k -b laptop -c laptop -d user=ann %[1]s/reauthenticate

`
