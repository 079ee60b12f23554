package bench

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// clients is how many use Redis at once where many do.
const clients = 64

// BenchmarkTable prints the tables of docs/performance.md.
func BenchmarkTable(b *testing.B) {
	server := redistest.Start(b, "--save", "")
	server.NeedReal(b)
	newReport(b, os.Stdout, 1000).all(server)
}

// TestTable shows that the program which makes the tables still does.
func TestTable(t *testing.T) {
	var out strings.Builder
	newReport(t, &out, 1).all(redistest.Start(t))
	for _, row := range []string{"memory, write", "Redis, sign-in at the limit", "end 1,000, inside Redis", "bytes a session"} {
		if !strings.Contains(out.String(), "| "+row) {
			t.Errorf("there is no row %q in\n%s", row, &out)
		}
	}
}

// A report measures in so many rounds, and prints Markdown.
type report struct {
	testing.TB
	out    io.Writer
	rounds int
}

func newReport(t testing.TB, out io.Writer, rounds int) *report {
	withoutLog(t)
	return &report{t, out, rounds}
}

func (r *report) printf(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

func (r *report) all(server *redistest.Server) {
	began := time.Now()
	r.printf("Go %s, %d processors.\n", strings.TrimPrefix(runtime.Version(), "go"), runtime.GOMAXPROCS(0))
	r.printf("| µs beyond the bare handler (× scs with gob) | %s | %s | %s | × the same codec |\n|---|---|---|---|---|", plainGob, plainCBOR, tracked)
	memory, redis := kind{name: "memory"}, kind{"Redis", server}
	for _, k := range []kind{memory, redis} {
		r.requests(k)
		r.signIns(k)
	}
	r.parallel(memory, runtime.GOMAXPROCS(0))
	r.parallel(redis, clients)
	r.printf("\n| allocations | %s | %s | %s |\n|---|---|---|---|", plainGob, plainCBOR, tracked)
	for _, k := range []kind{memory, redis} {
		r.allocations(k, "read", (*contender).read)
		r.allocations(k, "write", (*contender).write)
		r.allocations(k, "sign-in of a new user", signInNewUser)
	}
	r.printf("\n| revoke alone | |\n|---|---|")
	r.floor(redis)
	for _, k := range []kind{memory, redis} {
		r.list(k)
	}
	for _, n := range []int{100, 1000} {
		r.endInMemory(n)
		r.endInsideRedis(redis, n)
	}
	r.signInInsideRedis(redis)
	r.printf("\n| bytes a session | %s | %s |\n|---|---|---|", plainGob, tracked)
	r.bytesInMemory()
	r.bytesInRedis(redis)
	r.printf("\n%v", time.Since(began).Round(time.Second))
}

// requests measures what a request with a session costs.
func (r *report) requests(k kind) {
	for _, row := range []struct {
		name    string
		idle    time.Duration
		request func(*contender) func()
	}{
		{"read", 0, (*contender).read},
		{"read, idle timeout", 20 * time.Minute, (*contender).read},
		{"write", 0, (*contender).write},
	} {
		var subjects []*subject
		for _, c := range contenders(k, row.idle) {
			subjects = append(subjects, &subject{name: c.name, run: row.request(c)})
		}
		r.compare(k.name+", "+row.name, k, 1, subjects)
	}
}

// signIns measures sign-ins of users who have none, 99 and 100 sessions.
func (r *report) signIns(k kind) {
	for _, row := range []struct {
		name string
		has  int
	}{{"sign-in of a new user", 0}, {"sign-in of one with 99 sessions", 99}, {"sign-in at the limit", 100}} {
		var subjects []*subject
		for _, c := range contenders(k, 0) {
			subjects = append(subjects, r.signIn(c, row.has))
		}
		r.compare(k.name+", "+row.name, k, 1, subjects)
	}
}

// signIn signs in users who have so many sessions. After each batch the sessions that
// are too many by then are ended.
func (r *report) signIn(c *contender, has int) *subject {
	s := &subject{name: c.name}
	if has == 0 || c.name == bare {
		s.run = c.signIn(newUsers(), nil)
		return s
	}
	const users = batchSize
	var fresh []string // the Set-Cookie header of each
	n := 0
	user := func() string { n++; return fmt.Sprint("user ", n%users) }
	s.run = c.signIn(user, func(setCookie string) { fresh = append(fresh, setCookie) })
	if c.m == nil {
		return s
	}
	for i := range users {
		populate(r, c.m, c.store, fmt.Sprint("user ", i), has)
	}
	s.before = func() {
		for _, setCookie := range fresh {
			if cookie := valueOf(setCookie); has < c.m.MaxPerUser { // or else each sign-in has ended one
				if _, err := c.store.Revoke(r.Context(), cookie[:22], cookie[23:45], store.Revocation{}); err != nil {
					r.Fatal(err)
				}
			}
		}
		fresh = nil
	}
	return s
}

func (r *report) allocations(k kind, name string, request func(*contender) func()) {
	of := allocations(r, k, 0, request)
	r.printf("| %s, %s | %.0f | %.0f | %.0f |", k.name, name, of[plainGob], of[plainCBOR], of[tracked])
}

// parallel measures requests of many at a time.
func (r *report) parallel(k kind, workers int) {
	reads, writes := []*subject{}, []*subject{}
	for _, c := range contenders(k, 0) {
		reads = append(reads, &subject{name: c.name, run: c.read()})
		writes = append(writes, &subject{name: c.name, run: c.write()})
	}
	r.compare(fmt.Sprintf("%s, read, %d at a time", k.name, workers), k, workers, reads)
	r.compare(fmt.Sprintf("%s, write, %d at a time", k.name, workers), k, workers, writes)
}

const batchSize = 20 // requests that are timed together

// compare prints a row: what each contender takes beyond what the bare one does.
func (r *report) compare(name string, k kind, workers int, subjects []*subject) {
	rounds, batch := r.rounds, batchSize
	if k.server != nil {
		batch /= 4
	}
	if workers > 1 {
		rounds, batch = 1+rounds/10, max(10*batch, 4*workers)
	}
	inTurn(rounds, batch, workers, subjects)
	of := map[string]*subject{}
	for _, s := range subjects {
		of[s.name] = s
	}
	net := func(name string) float64 { return of[name].p10() - of[bare].p10() }
	cell := func(name string) string {
		return fmt.Sprintf("%.1f (%.2f)", net(name), net(name)/net(plainGob))
	}
	r.printf("| %s | %s | %s | %s | %.2f |", name, cell(plainGob), cell(plainCBOR), cell(tracked), net(tracked)/net(plainCBOR))
}
