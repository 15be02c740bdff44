package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// loadFile reads the YAML file. It walks the parsed tree itself, since the decoder of the library stops at the first problem of a kind
// and repeats values in its errors.
func (l *loader) loadFile(path string) {
	name := "file " + filepath.Base(path)
	content, err := os.ReadFile(path)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		l.problem("", "file "+path, "can't be read: "+err.Error())
		return
	}
	dec := yaml.NewDecoder(bytes.NewReader(content))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF): // an empty file sets nothing
		return
	case err != nil:
		l.problem("", name, "want valid YAML")
		return
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		l.problem("", name, "want one document only")
		return
	}
	f := fileWalk{loader: l, name: name}
	if root := doc.Content[0]; !isNull(root) {
		f.section(root, l.root, "")
	}
}

type fileWalk struct {
	*loader
	name string
}

func (f fileWalk) source(n *yaml.Node) string { return fmt.Sprintf("%s:%d", f.name, n.Line) }

func (f fileWalk) bad(n *yaml.Node, key, want string) { f.problem(key, f.source(n), want) }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// plain refuses what makes a file mean something else than it seems to: anchors, aliases and own tags.
func (f fileWalk) plain(n *yaml.Node, key string) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		f.bad(n, key, "want plain YAML without anchors, aliases and tags")
		return false
	}
	return true
}

// mapping calls fn for every pair and reports pairs that can't be.
func (f fileWalk) mapping(n *yaml.Node, path string, fn func(name, value *yaml.Node)) {
	if !f.plain(n, path) {
		return
	}
	if n.Kind != yaml.MappingNode {
		f.bad(n, path, "want a section of keys and values")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i]
		switch {
		case name.Kind != yaml.ScalarNode || name.Tag == "!!merge":
			f.bad(name, path, "want a plain key")
		case seen[name.Value]:
			f.bad(name, join(path, name.Value), "stands twice")
		default:
			seen[name.Value] = true
			fn(name, n.Content[i+1])
		}
	}
}

func (f fileWalk) section(n *yaml.Node, v reflect.Value, path string) {
	f.mapping(n, path, func(name, value *yaml.Node) {
		key, known := join(path, name.Value), false
		eachField(v, func(_ reflect.StructField, field reflect.Value, fieldName string) {
			if fieldName == name.Value {
				known = true
				f.value(value, field, key)
			}
		})
		if !known {
			f.bad(name, key, "no such setting")
		}
	})
}

func (f fileWalk) value(n *yaml.Node, v reflect.Value, key string) {
	f.sources[key] = f.source(n)
	t := v.Type()
	switch {
	case isSection(t):
		f.section(n, v, key)
	case t.Kind() == reflect.Map && !reflect.PointerTo(t).Implements(textType):
		f.table(n, v, key)
	case t.Kind() == reflect.Slice && !reflect.PointerTo(t).Implements(textType):
		f.list(n, v, key)
	default:
		f.scalar(n, v, key)
	}
}

func (f fileWalk) scalar(n *yaml.Node, v reflect.Value, key string) {
	switch {
	case !f.plain(n, key):
	case n.Kind != yaml.ScalarNode || isNull(n):
		f.bad(n, key, "want one value")
	default:
		if want := setText(v, n.Value); want != "" {
			f.bad(n, key, want)
		}
	}
}

// list replaces the whole default: lists are not merged.
func (f fileWalk) list(n *yaml.Node, v reflect.Value, key string) {
	if !f.plain(n, key) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		f.bad(n, key, "want a list")
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, element := range n.Content {
		f.value(element, list.Index(i), fmt.Sprintf("%s[%d]", key, i))
	}
	v.Set(list)
}

// table replaces the whole default as well.
func (f fileWalk) table(n *yaml.Node, v reflect.Value, key string) {
	table := reflect.MakeMap(v.Type())
	f.mapping(n, key, func(name, value *yaml.Node) {
		element := reflect.New(v.Type().Elem()).Elem()
		f.value(value, element, join(key, name.Value))
		table.SetMapIndex(reflect.ValueOf(name.Value).Convert(v.Type().Key()), element)
	})
	v.Set(table)
}
