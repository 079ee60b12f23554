//go:build !unix

package servertest

import "os/exec"

func (a account) command(name string, args ...string) *exec.Cmd { return exec.Command(name, args...) }

func kill(cmd *exec.Cmd) { cmd.Process.Kill() }
