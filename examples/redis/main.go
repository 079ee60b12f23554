// Redis is the basic example on Redis: visitors' sessions in scs's own
// redisstore, signed-in ones in store.NewRedis. Two copies of it on two ports
// share their sessions.
//
// With -cluster it runs on a Redis Cluster, to which -redis names some of the
// nodes. As redisstore does not run on one, each copy then keeps its visitors in
// memory; they need no more than that to sign in.
package main

import (
	"flag"
	"log"
	"strings"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"
	"github.com/mna/redisc"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	address := flag.String("redis", "127.0.0.1:6379", "`address` of Redis; of a cluster some, with commas between")
	cluster := flag.Bool("cluster", false, "Redis is a cluster")
	replicas := flag.Int("replicas", 0, "`how many` replicas must have a revocation before it is answered")
	flag.Parse()

	sm := scs.New()
	var st *store.Redis
	if *cluster {
		st = store.NewRedis(clusterPool(strings.Split(*address, ",")))
	} else {
		pool := site.RedisPool(*address)
		if err := site.CheckRedis(pool, *address); err != nil {
			log.Fatal(err)
		}
		sm.Store = redisstore.New(pool)
		st = store.NewRedis(pool)
	}
	st.Replicas = *replicas
	sessions := revoke.New(sm, st)

	mux := site.New(sm, sessions)
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	log.Fatal(site.Serve(*listen, sessions.Track(mux)))
}

// clusterPool returns the connections to the cluster that the nodes are part of.
func clusterPool(nodes []string) *redisc.Cluster {
	cluster := &redisc.Cluster{
		StartupNodes: nodes,
		CreatePool: func(address string, _ ...redis.DialOption) (*redis.Pool, error) {
			return site.RedisPool(address), nil
		},
	}
	if err := cluster.Refresh(); err != nil {
		log.Fatalf("no cluster answers at %s: %v", nodes, err)
	}
	return cluster
}
