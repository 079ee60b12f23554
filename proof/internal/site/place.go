package site

import (
	"fmt"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/store"
)

// A Place is where processes keep what they share.
type Place struct {
	Kind    Kind
	Address string // host:port of Redis, or the data source name of a database
}

// A Kind is what a Place is.
type Kind string

const (
	Redis    Kind = "redis"
	Postgres Kind = "postgres"
	SQLite   Kind = "sqlite"
)

// A backend is an open Place.
type backend struct {
	sessions store.Store
	visitors scs.Store
	erase    func(user, id string) error // removes what is left of a session that has ended
	conns    func() (open, idle int)
}

func (p Place) open() (*backend, error) {
	switch p.Kind {
	case Redis:
		return openRedis(p.Address), nil
	case Postgres, SQLite:
		return openSQL(p)
	}
	return nil, fmt.Errorf("no kind of store %q", p.Kind)
}
