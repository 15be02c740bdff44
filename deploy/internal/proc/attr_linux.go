package proc

import "syscall"

// attributes put the child into its own group and have the kernel end it when we die.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
