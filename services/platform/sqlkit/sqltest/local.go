package sqltest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errMissing means that this machine can't run a server at all, which is no fault.
var errMissing = errors.New("not found")

// How long the server may take to make its files and to answer.
const startTime = 60 * time.Second

// supervisor runs the server until its standard input ends, which is when the test binary ends, however it ends: so neither a panic nor a
// kill leaves a server or its files behind. Arguments: folder of the binaries, folder of the server.
const supervisor = `
bin=$1; dir=$2
"$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 || { echo fail; exit 1; }
"$bin/postgres" -D "$dir/data" -k "$dir" -p 5432 -c listen_addresses= -c fsync=off -c full_page_writes=off \
	-c synchronous_commit=off -c max_connections=300 -c shared_buffers=32MB -c max_wal_size=256MB >>"$dir/log" 2>&1 &
pid=$!
n=0
until grep -q "ready to accept connections" "$dir/log"; do
	n=$((n+1))
	if [ $n -gt 600 ] || ! kill -0 $pid 2>/dev/null; then echo fail; break; fi
	sleep 0.05
done
echo ready
cat >/dev/null
kill -QUIT $pid 2>/dev/null
wait $pid 2>/dev/null
rm -rf "$dir"
`

// local starts a server from the binaries of this machine.
func local() (*server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "samvirke-pg-") // the path of a socket must be short
	if err != nil {
		return nil, fmt.Errorf("server folder: %w", err)
	}
	cred, err := account(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := supervise(bin, dir, cred); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &server{admin: &url.URL{
		Scheme: "postgres", User: url.User("postgres"), Path: "/postgres",
		RawQuery: url.Values{"host": {dir}, "port": {"5432"}, "sslmode": {"disable"}}.Encode(),
	}}, nil
}

// supervise starts the supervisor and waits until the server answers.
func supervise(bin, dir string, cred *syscall.Credential) error {
	cmd := exec.Command("/bin/sh", "-c", supervisor, "supervisor", bin, dir) // lives as long as the test binary
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	// A group of its own: an interrupt at the terminal must reach the tests, which then end, and not the server first.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setpgid: true}
	hold, keep, err := os.Pipe() // the write end stays open until this process ends
	if err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	cmd.Stdin = hold
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start supervisor: %w", errors.Join(err, keep.Close()))
	}
	_ = hold.Close() // the supervisor has its own
	if f, ok := out.(*os.File); ok {
		_ = f.SetReadDeadline(time.Now().Add(startTime)) // a real process, real time
	}
	line := make([]byte, len("ready\n"))
	if n, err := out.Read(line); err != nil || string(line[:n]) != "ready\n" {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		_ = keep.Close()
		return fmt.Errorf("PostgreSQL did not start: %s", strings.TrimSpace(string(log)))
	}
	return keepOpen(keep)
}

// keepOpen makes the file survive garbage collection, which would close it and so end the server.
func keepOpen(f *os.File) error {
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		return fmt.Errorf("keep pipe: %w", err)
	}
	syscall.CloseOnExec(fd)
	return f.Close()
}

// binaries finds the folder of the newest server on this machine.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err != nil { // a link's folder may lack the server itself
			return "", fmt.Errorf("server binaries: %w", err)
		}
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%w: no server binaries", errMissing)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // an odd folder counts as the oldest
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

// account returns the credentials that the server runs with, nil for those of the tests. PostgreSQL refuses to run as root.
func account(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nil is the own account
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("account %s: %w", name, err)
		}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return nil, fmt.Errorf("server folder: %w", err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("%w: running as root and no account for the server", errMissing)
}
