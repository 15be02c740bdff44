//go:build unix && !linux

package proc

import "syscall"

// attributes put the child into its own group. Only Linux can end it when we die.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
