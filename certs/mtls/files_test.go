package mtls_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/certs/mtls"
)

func serial(t *testing.T, s *mtls.FileSource) string {
	t.Helper()
	c, err := s.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.SerialNumber.String()
}

func TestFilesReload(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t, domain)
	id := ca.Organisation("SE", "8020001234", "member-system")
	paths := ca.Files(id)
	s, err := mtls.Files(paths.Cert, paths.Key, paths.CA)
	if err != nil {
		t.Fatal(err)
	}
	first := serial(t, s)
	if serial(t, s) != first || s.Err() != nil {
		t.Error("unchanged files changed something")
	}
	next := ca.Issue(id)
	ca.WriteFiles(paths, next)
	if got := serial(t, s); got != next.Leaf.SerialNumber.String() {
		t.Errorf("serves %s after the files were replaced", got)
	}
	if revoked, err := s.Revoked(next.Leaf); revoked || err != nil {
		t.Errorf("without lists: %v, %v", revoked, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Certificate(); err == nil || s.Roots() != nil {
		t.Error("a closed source still serves")
	}
}

// TestFilesHalfWritten: while key and certificate don't fit together, the old pair stays in use.
func TestFilesHalfWritten(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t, domain)
	id := ca.Organisation("SE", "8020001234", "member-system")
	paths := ca.Files(id)
	s, err := mtls.Files(paths.Cert, paths.Key, paths.CA)
	if err != nil {
		t.Fatal(err)
	}
	first := serial(t, s)
	next := ca.Files(id)
	for _, step := range []struct {
		name, from, to string
	}{{"certificate without its key", next.Cert, paths.Cert}} {
		copyFile(t, step.from, step.to)
		if serial(t, s) != first || s.Err() == nil {
			t.Errorf("%s: old pair not kept, or no complaint", step.name)
		}
	}
	copyFile(t, next.Key, paths.Key)
	if serial(t, s) == first || s.Err() != nil {
		t.Errorf("the finished pair is not in use: %v", s.Err())
	}
	second := serial(t, s)
	for name, content := range map[string]string{"emptied": "", "cut off": "-----BEGIN CERTIFICATE-----\nMIIB", "no PEM": "hello"} {
		if err := os.WriteFile(paths.CA, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if serial(t, s) != second || s.Err() == nil || s.Roots() == nil {
			t.Errorf("anchors %s: old set not kept, or no complaint", name)
		}
	}
	if err := os.Remove(paths.CA); err != nil {
		t.Fatal(err)
	}
	if serial(t, s) != second || s.Err() == nil {
		t.Error("anchors removed: old set not kept, or no complaint")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFilesRevocation(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t, domain)
	id := ca.Organisation("SE", "8020001234", "member-system")
	paths := ca.Files(id)
	lists := filepath.Join(t.TempDir(), "crl.pem")
	write := func(next time.Time) {
		if err := os.WriteFile(lists, ca.CRL(next), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(time.Now().Add(time.Hour))
	s, err := mtls.Files(paths.Cert, paths.Key, paths.CA, lists)
	if err != nil {
		t.Fatal(err)
	}
	peer := ca.Issue(ca.Service("gateway")).Leaf
	if revoked, err := s.Revoked(peer); revoked || err != nil {
		t.Errorf("sound peer: %v, %v", revoked, err)
	}
	ca.Revoke(peer)
	write(time.Now().Add(time.Hour))
	if revoked, err := s.Revoked(peer); !revoked || err != nil {
		t.Errorf("revoked peer: %v, %v", revoked, err)
	}
	stranger := certtest.New(t, domain).Issue(id).Leaf
	if _, err := s.Revoked(stranger); err == nil {
		t.Error("a stranger's standing is unknown, and that is no error")
	}
	write(time.Now().Add(-25 * time.Hour))
	if _, err := s.Revoked(ca.Issue(id).Leaf); err == nil {
		t.Errorf("a list past its grace is still believed: %v", s.Err())
	}
}

func TestFilesRefusesAtOpening(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t, domain)
	id := ca.Organisation("SE", "8020001234", "member-system")
	good, other := ca.Files(id), ca.Files(id)
	old := ca.Files(id, certtest.Expired())
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string][]string{
		"no such file":   {empty + "x", good.Key, good.CA},
		"another's key":  {good.Cert, other.Key, good.CA},
		"no anchors":     {good.Cert, good.Key, empty},
		"key as anchors": {good.Cert, good.Key, good.Key},
		"expired":        {old.Cert, old.Key, old.CA},
		"no lists":       {good.Cert, good.Key, good.CA, empty},
		"lists missing":  {good.Cert, good.Key, good.CA, empty + "x"},
		"two list files": {good.Cert, good.Key, good.CA, empty, empty},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := mtls.Files(f[0], f[1], f[2], f[3:]...); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestFilesRefusesForeignLists(t *testing.T) {
	t.Parallel()
	ca, foreign := certtest.New(t, domain), certtest.New(t, domain)
	paths := ca.Files(ca.Service("identity"))
	lists := filepath.Join(t.TempDir(), "crl.pem")
	if err := os.WriteFile(lists, foreign.CRL(time.Now().Add(time.Hour)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mtls.Files(paths.Cert, paths.Key, paths.CA, lists); err == nil {
		t.Error("lists of another authority were taken")
	}
}
