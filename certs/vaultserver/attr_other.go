//go:build !linux

package vaultserver

import "syscall"

// attributes has nothing to offer where the system can't tie a child to its parent.
func attributes() *syscall.SysProcAttr { return nil }
