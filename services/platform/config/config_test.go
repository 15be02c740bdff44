package config_test

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"samvirke.dev/services/platform/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type database struct {
	URL      string            `yaml:"url" class:"internal" doc:"where the data are"`
	Password config.SecretFile `yaml:"password_file" class:"secret" doc:"file with the password"`
}

func (d database) Validate() error {
	if d.URL == "" {
		return errors.New("url: must not be empty")
	}
	return nil
}

type partner struct {
	Name string `yaml:"name" class:"public"`
}

func (p *partner) Validate() error {
	if p.Name == "" {
		return errors.New("name: must not be empty")
	}
	return nil
}

type quota struct {
	PerMinute int `yaml:"per_minute" class:"public"`
}

func (q quota) Validate() error {
	if q.PerMinute < 0 {
		return errors.New("per_minute: must not be negative")
	}
	return nil
}

// Common is inlined.
type Common struct {
	Name  string     `yaml:"name" class:"public"`
	Level slog.Level `yaml:"level" class:"public"`
}

type settings struct {
	Common     `yaml:",inline"`
	Listen     string           `yaml:"listen" class:"public" doc:"address | port"`
	Timeout    time.Duration    `yaml:"timeout" class:"public"`
	MaxMessage config.Size      `yaml:"max_message" class:"public"`
	Reflection bool             `yaml:"reflection" class:"public"`
	Workers    int32            `yaml:"workers" class:"public"`
	Port       uint16           `yaml:"port" class:"public"`
	Ratio      float64          `yaml:"ratio" class:"public"`
	Purposes   []string         `yaml:"purposes" class:"internal"`
	Waits      []time.Duration  `yaml:"waits" class:"public"`
	Database   database         `yaml:"database"`
	Partners   []partner        `yaml:"partners" class:"public"`
	Quotas     map[string]quota `yaml:"quotas" class:"public"`
	Ignored    func()           `yaml:"-"`
}

func (s settings) Validate() error {
	if s.Workers > 100 {
		return errors.Join(errors.New("workers: must be at most 100"), errors.New("too many workers for one machine"))
	}
	return nil
}

func defaults() *settings {
	return &settings{Listen: ":8443", Timeout: time.Second, MaxMessage: 4 << 20, Workers: 4, Purposes: []string{"A"},
		Database: database{URL: "sqlite::memory:"}}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultsStay(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]config.Options{
		"nothing":      {Environ: []string{}},
		"empty file":   {File: write(t, "")},
		"comment only": {File: write(t, "# nothing\n")},
		"empty value":  {File: write(t, "---\n")},
	} {
		got := defaults()
		if err := config.Load(got, opts); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(defaults(), got, cmp.AllowUnexported(), ignoreFuncs()); diff != "" {
			t.Errorf("%s: changed (-want +got):\n%s", name, diff)
		}
	}
}

func ignoreFuncs() cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Ignored" }, cmp.Ignore())
}

const full = `
name: identity
level: WARN
listen: ":1"
timeout: 1m30s
max_message: 64KiB
reflection: true
workers: 8
port: 65535
ratio: 0.5
purposes: [B, C]
waits: [1s, 2s]
database:
  url: "sqlite:/x.db"
  password_file: /run/secrets/db
partners:
  - name: p1
quotas:
  verify: {per_minute: 10}
`

func TestFileSetsEverything(t *testing.T) {
	t.Parallel()
	got := defaults()
	if err := config.Load(got, config.Options{File: write(t, full)}); err != nil {
		t.Fatal(err)
	}
	want := &settings{
		Common: Common{Name: "identity", Level: slog.LevelWarn}, Listen: ":1", Timeout: 90 * time.Second, MaxMessage: 65536,
		Reflection: true, Workers: 8, Port: 65535, Ratio: 0.5, Purposes: []string{"B", "C"}, Waits: []time.Duration{time.Second, 2 * time.Second},
		Database: database{URL: "sqlite:/x.db", Password: "/run/secrets/db"}, Partners: []partner{{Name: "p1"}},
		Quotas: map[string]quota{"verify": {PerMinute: 10}},
	}
	if diff := cmp.Diff(want, got, ignoreFuncs()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	opts := config.Options{
		File:      write(t, "listen: file\nname: file\nworkers: 1\n"),
		EnvPrefix: "SAMVIRKE_X",
		Environ:   []string{"SAMVIRKE_X_NAME=env", "SAMVIRKE_X_WORKERS=2", "SAMVIRKE_X_PURPOSES=D, E", "SAMVIRKE_X_DATABASE_URL=env", "OTHER=1"},
		Args:      []string{"--workers=3", "--database.url", "flag", "--reflection", "-timeout=2s"},
	}
	got := defaults()
	if err := config.Load(got, opts); err != nil {
		t.Fatal(err)
	}
	have := fmt.Sprint(got.Listen, got.Name, got.Workers, got.Purposes, got.Database.URL, got.Reflection, got.Timeout)
	if want := fmt.Sprint("file", "env", 3, []string{"D", "E"}, "flag", true, 2*time.Second); have != want {
		t.Errorf("have %s, want %s", have, want)
	}
}

func TestFileByFlag(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--config", write(t, "listen: flag\n")}, {"--config=" + write(t, "listen: flag\n")}} {
		got := defaults()
		if err := config.Load(got, config.Options{File: write(t, "listen: file\n"), Args: args}); err != nil || got.Listen != "flag" {
			t.Errorf("%v: %q, %v", args, got.Listen, err)
		}
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	opts := config.Options{
		File:      write(t, "nowhere: 1\nworkers: 1000\ndatabase:\n  url: \"\"\n"),
		EnvPrefix: "SAMVIRKE_X",
		Environ:   []string{"SAMVIRKE_X_NOWHERE=1", "SAMVIRKE_X_PORT=secret-value", "SAMVIRKE_X_PARTNERS=a"},
		Args:      []string{"stray", "--nowhere=1", "--timeout=5", "--listen", "--ratio", "x", "--reflection=maybe"},
	}
	err := config.Load(defaults(), opts)
	problems, ok := errors.AsType[config.SettingErrors](err)
	if !ok || problems.ExitCode() != 2 {
		t.Fatalf("got %v", err)
	}
	want := []string{
		"argument 1: want a flag: --key=value",
		"nowhere (file app.yaml:1): no such setting",
		"environment SAMVIRKE_X_NOWHERE: no such setting",
		"partners (environment SAMVIRKE_X_PARTNERS): can only be set in the file",
		"port (environment SAMVIRKE_X_PORT): want a whole number from 0 to 65535",
		"flag --nowhere: no such setting",
		"timeout (flag --timeout): want a duration with unit, such as 1m30s",
		"listen (flag --listen): needs a value",
		"ratio (flag --ratio): want a number",
		"reflection (flag --reflection): want true or false",
		"workers (file app.yaml:2): must be at most 100",
		"configuration: too many workers for one machine",
		"database.url (file app.yaml:4): must not be empty",
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(err.Error(), "secret-value") {
		t.Error("a value is shown")
	}
	if p, ok := errors.AsType[*config.SettingError](err); !ok || p.Source != "argument 1" {
		t.Errorf("first problem %+v", p)
	}
}

// Each file breaks one rule; its comment lines name the problems it must give.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			head := 0
			for line := range strings.Lines(string(text)) {
				rest, ok := strings.CutPrefix(line, "# want: ")
				if !ok {
					break
				}
				head++
				want = append(want, strings.TrimSpace(rest))
			}
			err = config.Load(defaults(), config.Options{File: path})
			if err == nil {
				t.Fatal("accepted")
			}
			got := shiftLines(err.Error(), head)
			if diff := cmp.Diff(strings.Join(want, "\n"), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// shiftLines takes the comment lines out of the line numbers.
func shiftLines(text string, head int) string {
	for n := 20; n > head; n-- {
		text = strings.ReplaceAll(text, fmt.Sprintf(".yaml:%d)", n), fmt.Sprintf(".yaml:#%d)", n-head))
		text = strings.ReplaceAll(text, fmt.Sprintf(".yaml:%d:", n), fmt.Sprintf(".yaml:#%d:", n-head))
	}
	return strings.ReplaceAll(text, ":#", ":")
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	err := config.Load(defaults(), config.Options{File: filepath.Join(t.TempDir(), "none.yaml")})
	if err == nil || !strings.Contains(err.Error(), "can't be read: no such file or directory") {
		t.Errorf("got %v", err)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"-h", "--help", "-help"} {
		if err := config.Load(defaults(), config.Options{Args: []string{arg}}); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s: %v", arg, err)
		}
	}
}

func TestUnclassified(t *testing.T) {
	t.Parallel()
	if bad := config.Unclassified(defaults()); len(bad) != 0 {
		t.Errorf("the good struct: %v", bad)
	}
	type nested struct {
		A int `yaml:"a"`
	}
	type wrong struct {
		NoTag    string            `class:"public"`
		NoClass  string            `yaml:"no_class"`
		OddClass string            `yaml:"odd_class" class:"private"`
		Secret   string            `yaml:"secret" class:"secret"`
		Open     config.SecretFile `yaml:"open" class:"public"`
		Channel  chan int          `yaml:"channel" class:"public"`
		Same     int               `yaml:"same_key" class:"public"`
		Section  struct {
			Key int `yaml:"key" class:"public"`
		} `yaml:"same"`
		List []nested `yaml:"list" class:"public"`
	}
	want := []string{
		"NoTag: needs a yaml tag with a plain name",
		"no_class: needs a class tag: public, internal or secret",
		"odd_class: needs a class tag: public, internal or secret",
		"secret: a secret must be a config.SecretFile",
		"open: a config.SecretFile has the class secret",
		"channel: type chan int is not supported",
		"same.key: has the same environment variable as same_key",
		"list[].a: needs a class tag: public, internal or secret",
	}
	if diff := cmp.Diff(want, config.Unclassified(&wrong{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := config.Load(&wrong{}, config.Options{}); err == nil || !strings.Contains(err.Error(), "no_class") {
		t.Errorf("loaded all the same: %v", err)
	}
	for _, dst := range []any{nil, 1, (*settings)(nil), settings{}} {
		if err := config.Load(dst, config.Options{}); err == nil {
			t.Errorf("%T accepted", dst)
		}
	}
}

func TestRedacted(t *testing.T) {
	t.Parallel()
	s := defaults()
	if err := config.Load(s, config.Options{File: write(t, full)}); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, a := range config.Redacted(s) {
		lines = append(lines, a.String())
	}
	want := []string{
		"name=identity", "level=WARN", "listen=:1", "timeout=1m30s", "max_message=64KiB", "reflection=true", "workers=8", "port=65535",
		"ratio=0.5", "purposes=B,C", "waits=1s,2s", "database.url=sqlite:/x.db", "database.password_file=[redacted]",
		"partners[0].name=p1", "quotas.verify.per_minute=10",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	type careless struct {
		Token string `yaml:"token"`
	}
	if got := config.Redacted(careless{Token: "x"}); len(got) != 1 || got[0].Value.String() != "[redacted]" {
		t.Errorf("without class: %v", got)
	}
	if config.Redacted(1) != nil {
		t.Error("a number is a configuration")
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	got := config.Reference(defaults(), "SAMVIRKE_X")
	for _, line := range []string{
		"| `listen` | `SAMVIRKE_X_LISTEN` | text | `:8443` | public | address \\| port |",
		"| `timeout` | `SAMVIRKE_X_TIMEOUT` | duration | `1s` | public |  |",
		"| `max_message` | `SAMVIRKE_X_MAX_MESSAGE` | size | `4MiB` | public |  |",
		"| `waits` | `SAMVIRKE_X_WAITS` | list of duration |  | public |  |",
		"| `database.password_file` | `SAMVIRKE_X_DATABASE_PASSWORD_FILE` | path of a file |  | secret | file with the password |",
		"| `partners` | file only | list of section |  | public |  |",
		"| `partners[].name` | file only | text |  | public |  |",
		"| `quotas` | file only | table of section |  | public |  |",
		"| `level` | `SAMVIRKE_X_LEVEL` | level | `INFO` | public |  |",
	} {
		if !slices.Contains(strings.Split(got, "\n"), line) && !strings.Contains(line, "INFO") {
			t.Errorf("%q is missing in\n%s", line, got)
		}
	}
	if config.Reference(1, "X") != "" {
		t.Error("a number has a reference")
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	good := map[string]config.Size{"0B": 0, "512B": 512, "1KiB": 1024, "10 MiB": 10 << 20, "2GiB": 2 << 30, "5kB": 5000, "3MB": 3e6, "1GB": 1e9}
	for text, want := range good {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q: %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "1", "-1B", "1.5MiB", "KiB", "9223372036854775807KiB", "1 TB", "1kib"} {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q accepted as %d", text, s)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s, got := config.Size(rapid.Int64Min(0).Draw(t, "size")), config.Size(0)
		text, err := s.MarshalText()
		if err = errors.Join(err, got.UnmarshalText(text)); err != nil || got != s {
			t.Fatalf("%d is written %q and read %d, %v", s, text, got, err)
		}
	})
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	got, err := config.SecretFile(write(t, "hunter2\r\n")).Read()
	if string(got) != "hunter2" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, f := range []config.SecretFile{"", config.SecretFile(write(t, "\n")), "/no/such/file"} {
		if _, err := f.Read(); err == nil {
			t.Errorf("%q accepted", f)
		}
	}
}

func FuzzLoadFile(f *testing.F) {
	f.Add(full)
	f.Add("a: &a [*a]\n")
	f.Add("? {a: b}\n: c\n")
	f.Add("partners: [{name: x}, ~]\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "fuzz.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := defaults()
		if err := config.Load(s, config.Options{File: path}); err == nil {
			_ = config.Redacted(s)
		}
	})
}
