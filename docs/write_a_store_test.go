package docs_test

import (
	"regexp"
	"strings"
	"testing"
)

// The code of docs/write-a-store.md is the whole of the store that is tested, in the
// order of the page.
func TestSmallestStoreIsOnThePage(t *testing.T) {
	var page strings.Builder
	for _, snippet := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, "docs/write-a-store.md"), -1) {
		page.WriteString(flatten(snippet[1]))
	}
	var tested strings.Builder
	for _, name := range []string{"smallest_test.go", "smallest_all_test.go"} {
		_, code, _ := strings.Cut(read(t, "store/storetest/"+name), "\n)\n")
		tested.WriteString(flatten(code))
	}
	if tested.String() != page.String() {
		t.Error("docs/write-a-store.md and store/storetest/smallest*_test.go have different code")
	}
}
