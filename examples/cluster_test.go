package examples_test

import (
	"testing"

	"github.com/revoke-sessions/revoke/internal/exampletest"
	"github.com/revoke-sessions/revoke/internal/redistest"
)

func TestCluster(t *testing.T) {
	nodes, _ := redistest.StartReplicatedCluster(t, 3)
	binary, some := exampletest.Build(t, "redis"), nodes[0].Addr+","+nodes[2].Addr
	here, _ := exampletest.Start(t, binary, "-cluster", "-replicas", "1", "-redis", some)
	there, _ := exampletest.Start(t, binary, "-cluster", "-replicas", "1", "-redis", some)
	tour(t, here, there)
}
