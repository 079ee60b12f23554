package main

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// TestMain is the program itself in the process that a test starts.
func TestMain(m *testing.M) {
	if os.Getenv("MOBILE_TEST") == "run" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestTour runs tour.sh as a user does.
func TestTour(t *testing.T) {
	for _, tool := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("REVOKE_REAL") == "1" {
			t.Fatalf("REVOKE_REAL is set, but %v", err)
		} else if err != nil {
			t.Skip(err)
		}
	}
	cmd := exec.Command(os.Args[0], "-listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "MOBILE_TEST=run")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	tour := exec.Command("sh", "tour.sh", regexp.MustCompile(`http://\S+`).FindString(line))
	tour.Stderr = os.Stderr
	got, err := tour.Output()
	if err != nil {
		t.Errorf("tour.sh: %v", err)
	}
	if string(got) != transcript {
		t.Errorf("got:\n%s\nwant:\n%s", got, transcript)
	}
}

const transcript = `# The app signs in, and keeps its refresh token in a file.
200
Notes of ann.
# It exchanges the token. It keeps the new one before it uses it.
200
Notes of ann.
# It exchanges again, and loses the answer.
# It asks again, and gets the same token.
same
200
Notes of ann.
# Ann signs in with her browser, and sees both.
Signed in as ann.
"current":true "device":"Firefox on Linux"
"current":false "device":"Notes on iPhone"
# She ends the session of the app.
"count":1
# Both tokens of the app are over, though the access token has minutes to go.
401
Www-Authenticate: Bearer error="invalid_token", error_description="session revoked"
"code":"session_revoked"
{"error":"invalid_grant","error_description":"session revoked"}
# Her browser goes on.
Hello, ann.
`
