package main

import (
	"testing"

	"github.com/revoke-sessions/revoke/proof/model/explore"
)

func TestRenewal(t *testing.T) { explore.Test(t, scenarios()) }
