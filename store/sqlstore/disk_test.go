package sqlstore_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke/internal/servertest"
)

// A disk has the files of a directory, as the system calls of a program have changed
// them.
type disk struct {
	dir   string
	files map[string]*file
}

func newDisk(dir string) *disk { return &disk{dir, make(map[string]*file)} }

// A file is what is surely on the disk, and what was written since, in order.
type file struct {
	durable []byte
	pending []change
}

// A change writes data at an offset, or without data truncates the file there.
type change struct {
	offset int
	data   []byte
}

func (c change) apply(b []byte) []byte {
	end := c.offset + len(c.data)
	if len(b) < end {
		b = append(b, make([]byte, end-len(b))...)
	}
	if c.data == nil {
		return b[:c.offset]
	}
	copy(b[c.offset:], c.data)
	return b
}

// leave writes into a directory what a power cut leaves: what is durable, and of the
// rest what keep says.
func (d *disk) leave(dir string, keep func() bool) {
	for name, f := range d.files {
		content := bytes.Clone(f.durable)
		for _, c := range f.pending {
			if keep() {
				content = c.apply(content)
			}
		}
		check(os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
}

// traced runs a program to its end, and returns its system calls that change files.
func traced(t *testing.T, cmd *exec.Cmd) (log string) {
	t.Helper()
	log = filepath.Join(t.TempDir(), "calls")
	cmd.Args = append([]string{
		"strace", "-f", "-q", "-y", "-xx", "-s", "1000000", "-o", log,
		"-e", "trace=write,writev,pwrite64,pwritev,ftruncate,fsync,fdatasync,unlink,unlinkat,rename,renameat2",
	}, cmd.Args...)
	cmd.Path = servertest.Find(t, "strace")
	out, err := cmd.CombinedOutput()
	if err != nil && bytes.Contains(out, []byte("ptrace(")) {
		servertest.Missing(t, "to trace a process, which is not allowed here")
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return log
}

var (
	callBegins = regexp.MustCompile(`^(\d+) +(\w+)\((?:\d+<)?"?((?:\\x..)*)[">](?:, "((?:\\x..)*)")?(?:, (\d+))?(?:, (\d+))?`)
	callEnds   = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>`)
)

// replay carries out the calls of a log on the disk. It calls synced whenever a file
// was synced, and said for each line that the program has printed.
func (d *disk) replay(t *testing.T, log string, synced func(), said func(line string)) {
	t.Helper()
	ends := make(map[string]func()) // by process, what is done when its call ends
	lines := bufio.NewScanner(must(os.Open(log)))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		line := lines.Text()
		if m := callEnds.FindStringSubmatch(line); m != nil {
			ends[m[1]]()
			continue
		}
		m := callBegins.FindStringSubmatch(line)
		if m == nil {
			continue // a signal, or the end of a process
		}
		end := d.call(t, m[2], unescape(m[3]), []byte(unescape(m[4])), m[5:], said)
		if end == nil {
			end = func() {}
		} else {
			apply := end
			end = func() {
				apply()
				synced()
			}
		}
		ends[m[1]] = end
		if !strings.HasSuffix(line, "<unfinished ...>") {
			end()
		}
	}
	check(lines.Err())
}

// call carries out what a call does when it begins, and returns what it has done when
// it ends, or nil.
func (d *disk) call(t *testing.T, name, path string, data []byte, numbers []string, said func(line string)) (end func()) {
	t.Helper()
	if strings.HasPrefix(path, "pipe:") && name == "write" {
		for line := range strings.Lines(string(data)) {
			said(strings.TrimSpace(line))
		}
	}
	if filepath.Dir(path) != d.dir || strings.HasSuffix(path, "-shm") { // which is made anew from the log
		return nil
	}
	f := d.files[filepath.Base(path)]
	if f == nil {
		f = new(file)
		d.files[filepath.Base(path)] = f
	}
	switch name {
	case "pwrite64":
		if len(data) != must(strconv.Atoi(numbers[0])) {
			t.Fatalf("the trace has %d bytes of %s", len(data), numbers[0])
		}
		f.pending = append(f.pending, change{must(strconv.Atoi(numbers[1])), data})
	case "ftruncate":
		f.pending = append(f.pending, change{offset: must(strconv.Atoi(numbers[0]))})
	case "fsync", "fdatasync":
		n := len(f.pending)
		return func() {
			for _, c := range f.pending[:n] {
				f.durable = c.apply(f.durable)
			}
			f.pending = f.pending[n:]
		}
	case "unlink":
		delete(d.files, filepath.Base(path))
	default:
		t.Fatalf("%s(%s) is not understood", name, path)
	}
	return nil
}

func unescape(s string) string {
	return string(must(hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))))
}
