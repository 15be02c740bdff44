// Package config loads the configuration of a program strictly. A struct is the one source: its yaml tags name the keys, the values
// it holds are the defaults, its class tags say what may be shown, its Validate methods say what is allowed. The file overrides the
// defaults, the environment overrides the file, flags override the environment. Whatever is unknown in any of them is refused, and every
// problem is reported at once, naming key and source but never a value.
//
// Tags of a field: yaml (key, mandatory), class (public, internal or secret, mandatory), doc (sentence for the reference).
// Types: texts, booleans, numbers, time.Duration, Size, SecretFile, whatever implements encoding.TextUnmarshaler, lists of these,
// structs of these (sections), and, in files only, lists and string-keyed maps of structs.
package config

import (
	"encoding"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
)

// Options say where Load looks.
type Options struct {
	File      string   // YAML file; empty for none. The flag --config overrides it
	EnvPrefix string   // variables PREFIX_SECTION_KEY; empty for none. Choose one that nothing else uses: Kubernetes sets NAME_PORT
	Args      []string // flags --section.key=value or --section.key value; a boolean needs no value
	Environ   []string // variables as NAME=value; nil for those of the process
}

// fileFlag is the flag that names the file.
const fileFlag = "config"

// SettingError is one thing wrong with a configuration.
type SettingError struct {
	Key    string // dotted path, such as database.url; empty for the whole
	Source string // where it was found: "file a.yaml:12", "environment X_Y", "flag --x.y", "default"
	Want   string // what is wanted instead; never repeats the value
}

// Error returns key, source and what is wanted.
func (p *SettingError) Error() string {
	switch {
	case p.Key == "":
		return p.Source + ": " + p.Want
	case p.Source == "":
		return p.Key + ": " + p.Want
	default:
		return p.Key + " (" + p.Source + "): " + p.Want
	}
}

// SettingErrors are all the things wrong with a configuration. Each stands on a line of its own.
type SettingErrors []*SettingError

// Error returns one line per problem.
func (ps SettingErrors) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes the problems found by errors.Is and errors.As.
func (ps SettingErrors) Unwrap() []error {
	out := make([]error, len(ps))
	for i, p := range ps {
		out[i] = p
	}
	return out
}

// ExitCode is the exit code of a program that is configured wrongly: starting it again does not help.
func (SettingErrors) ExitCode() int { return 2 }

// Load fills dst, a pointer to a struct that holds the defaults, from file, environment and flags, and validates it. The error is a
// SettingErrors with everything that is wrong, or flag.ErrHelp if the arguments ask for help. dst is only fit for use if it is nil.
func Load(dst any, opts Options) error {
	l, err := newLoader(dst)
	if err != nil {
		return err
	}
	given, err := l.parseArgs(opts.Args)
	if err != nil {
		return err
	}
	file := opts.File
	for _, g := range given {
		if g.key == fileFlag {
			file = g.text
		}
	}
	if file != "" {
		l.loadFile(file)
	}
	if opts.EnvPrefix != "" {
		environ := opts.Environ
		if environ == nil {
			environ = os.Environ()
		}
		l.loadEnv(opts.EnvPrefix, environ)
	}
	l.loadArgs(given)
	l.validate()
	if len(l.problems) > 0 {
		return l.problems
	}
	return nil
}

type loader struct {
	root     reflect.Value
	leaves   []leaf            // everything that environment and flags can set, in order
	sources  map[string]string // where the present value of a key comes from
	problems SettingErrors
}

func newLoader(dst any) (*loader, error) {
	root := reflect.ValueOf(dst)
	if root.Kind() != reflect.Pointer || root.IsNil() || root.Elem().Kind() != reflect.Struct {
		return nil, errors.New("config: want a pointer to a struct")
	}
	if bad := Unclassified(dst); len(bad) > 0 {
		return nil, fmt.Errorf("config: the struct itself is wrong: %s", strings.Join(bad, "; "))
	}
	return &loader{root: root.Elem(), leaves: leavesOf(root.Elem(), ""), sources: map[string]string{}}, nil
}

func (l *loader) problem(key, source, want string) {
	l.problems = append(l.problems, &SettingError{Key: key, Source: source, Want: want})
}

func (l *loader) leaf(key string) *leaf {
	for i := range l.leaves {
		if l.leaves[i].key == key {
			return &l.leaves[i]
		}
	}
	return nil
}

// set gives a leaf the value of a text from the environment or a flag.
func (l *loader) set(f *leaf, source, text string) {
	l.sources[f.key] = source
	if fileOnly(f.value.Type()) {
		l.problem(f.key, source, "can only be set in the file")
		return
	}
	if want := setText(f.value, text); want != "" {
		l.problem(f.key, source, want)
	}
}

// EnvName returns the variable that sets a key, such as APP_DATABASE_URL for database.url under the prefix APP.
func EnvName(prefix, key string) string {
	return prefix + "_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

func (l *loader) loadEnv(prefix string, environ []string) {
	names := map[string]*leaf{}
	for i := range l.leaves {
		names[EnvName(prefix, l.leaves[i].key)] = &l.leaves[i]
	}
	environ = slices.Clone(environ)
	slices.Sort(environ) // so that problems come in the same order every time
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, prefix+"_") {
			continue
		}
		source := "environment " + name
		if f := names[name]; f != nil {
			l.set(f, source, text)
			continue
		}
		l.problem("", source, "no such setting")
	}
}

// arg is one flag given.
type arg struct {
	key  string
	text string
	bare bool // no value was given with it
}

// parseArgs splits the arguments into flags. Unknown ones are kept: they are reported together with all other problems.
func (l *loader) parseArgs(args []string) ([]arg, error) {
	var out []arg
	for i := 0; i < len(args); i++ {
		name, ok := strings.CutPrefix(args[i], "-")
		if !ok || name == "" || name == "-" {
			l.problem("", fmt.Sprintf("argument %d", i+1), "want a flag: --key=value")
			continue
		}
		name = strings.TrimPrefix(name, "-")
		if name == "h" || name == "help" {
			return nil, flag.ErrHelp
		}
		key, text, given := strings.Cut(name, "=")
		a := arg{key: key, text: text, bare: !given}
		if !given && !l.isBool(key) && i+1 < len(args) && !strings.HasPrefix(args[i+1], "--") {
			i++
			a.text, a.bare = args[i], false
		}
		out = append(out, a)
	}
	return out, nil
}

func (l *loader) isBool(key string) bool {
	f := l.leaf(key)
	return f != nil && f.value.Kind() == reflect.Bool
}

func (l *loader) loadArgs(given []arg) {
	for _, g := range given {
		source, f := "flag --"+g.key, l.leaf(g.key)
		switch {
		case g.key == fileFlag && !g.bare && g.text != "":
		case f == nil && g.key != fileFlag:
			l.problem("", source, "no such setting")
		case g.bare && l.isBool(g.key):
			l.set(f, source, "true")
		case g.bare || f == nil:
			l.problem(g.key, source, "needs a value")
		default:
			l.set(f, source, g.text)
		}
	}
}

// validator is what a section implements to say what is allowed. Its errors should begin with the yaml name of the field and a colon.
type validator interface{ Validate() error }

func (l *loader) validate() {
	walkSections(l.root, "", func(path string, v reflect.Value) {
		section, ok := v.Addr().Interface().(validator)
		if !ok {
			return
		}
		for _, err := range flatten(section.Validate()) {
			key, want := path, err.Error()
			if name, rest, ok := strings.Cut(want, ": "); ok && hasKey(v.Type(), name) {
				key, want = join(path, name), rest
			}
			l.problem(key, l.sourceOf(key), want)
		}
	})
}

// sourceOf names where the value of a key, or of anything below or above it, comes from.
func (l *loader) sourceOf(key string) string {
	if key == "" {
		return "configuration"
	}
	if src := l.sources[key]; src != "" {
		return src
	}
	for _, set := range slices.Sorted(maps.Keys(l.sources)) {
		if src := l.sources[set]; strings.HasPrefix(set, key+".") || strings.HasPrefix(key, set+".") || strings.HasPrefix(key, set+"[") {
			return strings.SplitN(src, ":", 2)[0] // one of several: without the line
		}
	}
	return "default"
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, flatten(e)...)
	}
	return out
}

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()
