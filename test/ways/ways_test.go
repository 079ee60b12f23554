package ways

import (
	"testing"

	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/internal/trial"
)

func TestMain(m *testing.M) { testapp.Main(m) }

// TestRevokedStaysRevoked shows that each of the ways is closed.
func TestRevokedStaysRevoked(t *testing.T) { trial.Sessions().Run(t, testapp.EachStore) }
