package site

import (
	"encoding/json"
	"net/http"
	"os"
	"runtime"
)

// Holdings is what a process holds that it could leak.
type Holdings struct {
	Goroutines int    `json:"goroutines"`
	Files      int    `json:"files"` // open descriptors, sockets included
	Heap       uint64 `json:"heap"`  // bytes in use after a collection
	Conns      int    `json:"conns"` // of its pool
	Idle       int    `json:"idle"`  // of those, in the pool
}

func holdings(b *backend) Holdings {
	runtime.GC()
	runtime.GC() // the second frees what only finalizers and pools kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd") // where there is none, none are counted
	open, idle := b.conns()
	return Holdings{
		Goroutines: runtime.NumGoroutine(), Files: len(files), Heap: m.HeapAlloc,
		Conns: open, Idle: idle,
	}
}

// Holdings asks the process what it holds.
func (p *Process) Holdings() (Holdings, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Get(p.URL + "/debug")
	if err != nil {
		return Holdings{}, err
	}
	defer response.Body.Close()
	var h Holdings
	return h, json.NewDecoder(response.Body).Decode(&h)
}
