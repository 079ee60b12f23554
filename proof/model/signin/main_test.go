package main

import (
	"testing"

	"github.com/revoke-sessions/revoke/proof/model/explore"
)

func TestSignIn(t *testing.T) { explore.Test(t, scenarios()) }
