package storetest_test

import (
	"testing"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/storetest"
)

// NewMyStore stands for a third party's.
func NewMyStore() store.Store { return store.NewMemory() }

func TestMyStore(t *testing.T) {
	storetest.Run(t, func() store.Store { return NewMyStore() })
}

// A test of a store of your own needs no more than this. The cases that a store cannot
// pass are named at the end.
func ExampleRun() {
	_ = func(t *testing.T) { // TestMyStore
		storetest.Run(t, func() store.Store { return NewMyStore() })
	}
}
