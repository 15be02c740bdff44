package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc; the kernel shows 100 a second on every platform that Go runs on.
const tick = 10 * time.Millisecond

// errFormat is a line of /proc that reads differently from what the kernel documents.
var errFormat = errors.New("unexpected format")

// CPU is the processor time that a living process has used, all threads and both modes. Linux only.
func CPU(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("processor time: %w", err)
	}
	// The command stands in parentheses and may itself hold spaces; what follows is numbered from field 3.
	field := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	const user, system = 14 - 3, 15 - 3
	if len(field) <= system {
		return 0, fmt.Errorf("processor time: %w", errFormat)
	}
	var ticks int64
	for _, i := range []int{user, system} {
		n, err := strconv.ParseInt(field[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("processor time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// Memory is what a living process holds resident now and held at its peak, in bytes. Linux only.
func Memory(pid int) (now, peak int64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("memory: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		field := strings.Fields(line)
		if len(field) != 3 || field[2] != "kB" {
			continue
		}
		kib, err := strconv.ParseInt(field[1], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("memory: %w", err)
		}
		switch field[0] {
		case "VmRSS:":
			now = kib << 10
		case "VmHWM:":
			peak = kib << 10
		}
	}
	return now, peak, nil
}
