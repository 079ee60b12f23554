package main

import (
	"testing"

	"github.com/revoke-sessions/revoke/proof/model/explore"
)

func TestAdoption(t *testing.T) { explore.Test(t, scenarios()) }
