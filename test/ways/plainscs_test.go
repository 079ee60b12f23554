//go:build plainscs

package ways

import (
	"testing"

	"github.com/revoke-sessions/revoke/internal/trial"
)

// TestPlainSCS puts plain scs through the same ways. It fails if scs closes one
// that the README says is open.
func TestPlainSCS(t *testing.T) { trial.PlainSCS(t) }
