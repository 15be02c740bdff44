package stack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"samvirke.dev/deploy/internal/say"
)

// lean leaves out gRPC's trace page, whose templates keep the linker from dropping what is not used: a fifth of a program, and of its
// resident memory.
const lean = "-tags=grpcnotrace"

// CacheDir is the folder of the user's cache that holds what was built.
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	dir := filepath.Join(base, "samvirke")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	return dir, nil
}

// BuildAll builds the programs into dir; it returns their files by the service's name.
func BuildAll(ctx context.Context, programs []Program, dir string, progress io.Writer) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range programs {
		file, err := Build(ctx, p.Package, dir, progress)
		if err != nil {
			return nil, err
		}
		out[p.Name] = file
	}
	return out, nil
}

// Build compiles a program of this workspace and puts it into dir; it returns the path. What was built is kept in the user's
// cache, where the go command finds that nothing has changed and is done in a moment. Several processes may build at once.
func Build(ctx context.Context, pkg, dir string, progress io.Writer, flags ...string) (_ string, err error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	where, err := workspace(ctx)
	if err != nil {
		return "", err
	}
	// Two checkouts, or two sets of flags, must not replace each other's binaries.
	sum := sha256.Sum256([]byte(where + "\x00" + strings.Join(flags, "\x00")))
	slot := filepath.Join(cache, "bin", hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(slot, 0o700); err != nil {
		return "", fmt.Errorf("build: %w", err)
	}
	release, err := lock(ctx, filepath.Join(slot, "lock"))
	if err != nil {
		return "", fmt.Errorf("build: %w", err)
	}
	defer func() { err = errors.Join(err, release()) }()
	name := path.Base(pkg)
	say.F(progress, "building %s\n", name)
	built := filepath.Join(slot, name)
	// Programs are built as operators get them, also where the tests run with the race detector: a story of thousands of calls would take
	// many minutes with it, and every package meets it in its own tests.
	plain := strings.ReplaceAll(os.Getenv("GOFLAGS"), "-race", "")
	if err := goBuild(ctx, append(flags, lean, "-o", built, pkg), "", progress, "CGO_ENABLED=0", "GOFLAGS="+plain); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	// The go command replaces the file in the cache by a new one, so a link keeps what we start as it is now.
	return place(built, filepath.Join(dir, name))
}

func workspace(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOWORK", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("build: ask the go command where we are: %w", err)
	}
	return string(out), nil
}

// goBuild runs `go build` with args in folder at, or in the present one; env is added to ours.
func goBuild(ctx context.Context, args []string, at string, progress io.Writer, env ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build"}, args...)...) //nolint:gosec // fixed packages
	var said bytes.Buffer
	cmd.Dir = at
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = progress, io.MultiWriter(progress, &said)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// place makes target the same file as source, by a link where the file system allows it.
func place(source, target string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return "", fmt.Errorf("place program: %w", err)
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("place program: %w", err)
	}
	if os.Link(source, target) == nil {
		return target, nil
	}
	in, err := os.Open(source)
	if err != nil {
		return "", fmt.Errorf("place program: %w", err)
	}
	defer in.Close()                                                          //nolint:errcheck // only read
	out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700) //nolint:gosec // a program of ours
	if err != nil {
		return "", fmt.Errorf("place program: %w", err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return "", fmt.Errorf("place program: %w", err)
	}
	return target, nil
}
