package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Classes of a field.
const (
	ClassPublic   = "public"   // anybody may know it
	ClassInternal = "internal" // only for those who run the service; may be logged
	ClassSecret   = "secret"   // never shown; must be a SecretFile
)

// leaf is a field that is not a section.
type leaf struct {
	key   string
	value reflect.Value
	class string
	doc   string
}

// isSection reports whether a type is a struct of further settings.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(textType)
}

// fileOnly reports whether a type has no form as one text.
func fileOnly(t reflect.Type) bool {
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Map) && !reflect.PointerTo(t).Implements(textType) &&
		(t.Kind() == reflect.Map || isSection(t.Elem()))
}

// yamlName returns the key of a field; inline is true for a section whose keys stand in its parent.
func yamlName(f reflect.StructField) (name string, inline bool) {
	name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name, slices.Contains(strings.Split(opts, ","), "inline")
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// eachField calls fn for every exported field of a section, those of inline sections included.
func eachField(v reflect.Value, fn func(f reflect.StructField, v reflect.Value, name string)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		name, inline := yamlName(f)
		switch {
		case name == "-":
		case inline && isSection(f.Type):
			eachField(v.Field(i), fn)
		default:
			fn(f, v.Field(i), name)
		}
	}
}

// leavesOf lists the leaves of a section in the order of its fields.
func leavesOf(v reflect.Value, path string) []leaf {
	var out []leaf
	eachField(v, func(f reflect.StructField, v reflect.Value, name string) {
		key := join(path, name)
		if isSection(f.Type) {
			out = append(out, leavesOf(v, key)...)
			return
		}
		out = append(out, leaf{key: key, value: v, class: f.Tag.Get("class"), doc: f.Tag.Get("doc")})
	})
	return out
}

// walkSections calls fn for a section and all below it, also those in lists and maps.
func walkSections(v reflect.Value, path string, fn func(path string, v reflect.Value)) {
	fn(path, v)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, inline := yamlName(f)
		if !f.IsExported() || name == "-" {
			continue
		}
		key := join(path, name)
		if inline {
			key = path
		}
		walkBelow(v.Field(i), key, fn)
	}
}

func walkBelow(v reflect.Value, key string, fn func(path string, v reflect.Value)) {
	t := v.Type()
	switch {
	case isSection(t):
		walkSections(v, key, fn)
	case t.Kind() == reflect.Slice && isSection(t.Elem()):
		for i := range v.Len() {
			walkSections(v.Index(i), fmt.Sprintf("%s[%d]", key, i), fn)
		}
	case t.Kind() == reflect.Map && isSection(t.Elem()):
		for _, k := range sortedKeys(v) {
			element := reflect.New(t.Elem()).Elem() // a map's value has no address, and Validate may need one
			element.Set(v.MapIndex(k))
			walkSections(element, join(key, k.String()), fn)
		}
	}
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// hasKey reports whether a section has a field of this name.
func hasKey(t reflect.Type, name string) bool {
	found := false
	eachField(reflect.New(t).Elem(), func(_ reflect.StructField, _ reflect.Value, n string) { found = found || n == name })
	return found
}

// Unclassified returns everything that is wrong with a configuration struct itself, and nothing if it is fit for Load: fields without key
// or class, secrets that are not files, types that can't be read, and keys that stand twice or share an environment variable. Every
// program has a test that demands an empty answer.
func Unclassified(dst any) []string {
	t := reflect.TypeOf(dst)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return []string{"want a struct or a pointer to one"}
	}
	c := checker{variables: map[string]string{}}
	c.section(t, "")
	return c.bad
}

type checker struct {
	bad       []string
	variables map[string]string // environment variable → key
}

func (c *checker) add(key, format string, args ...any) {
	c.bad = append(c.bad, key+": "+fmt.Sprintf(format, args...))
}

func (c *checker) section(t reflect.Type, path string) {
	eachField(reflect.New(t).Elem(), func(f reflect.StructField, _ reflect.Value, name string) {
		key := join(path, name)
		if name == "" || strings.ContainsAny(name, ". =[]") {
			c.add(join(path, f.Name), "needs a yaml tag with a plain name")
			return
		}
		c.field(f, key)
	})
}

func (c *checker) field(f reflect.StructField, key string) {
	switch {
	case isSection(f.Type):
		c.section(f.Type, key)
		return
	case !supported(f.Type):
		c.add(key, "type %s is not supported", f.Type)
	}
	c.class(f, key)
	if other, taken := c.variables[EnvName("", key)]; taken {
		c.add(key, "has the same environment variable as %s", other)
	}
	c.variables[EnvName("", key)] = key
	if fileOnly(f.Type) && isSection(f.Type.Elem()) {
		c.section(f.Type.Elem(), key+"[]")
	}
}

func (c *checker) class(f reflect.StructField, key string) {
	secret := f.Type == reflect.TypeFor[SecretFile]()
	switch class := f.Tag.Get("class"); {
	case class != ClassPublic && class != ClassInternal && class != ClassSecret:
		c.add(key, "needs a class tag: public, internal or secret")
	case class == ClassSecret && !secret:
		c.add(key, "a secret must be a config.SecretFile")
	case class != ClassSecret && secret:
		c.add(key, "a config.SecretFile has the class secret")
	}
}

// supported reports whether values of a type can be read.
func supported(t reflect.Type) bool {
	switch {
	case reflect.PointerTo(t).Implements(textType):
		return true
	case t.Kind() == reflect.Slice:
		return isSection(t.Elem()) || scalar(t.Elem())
	case t.Kind() == reflect.Map:
		return t.Key().Kind() == reflect.String && (isSection(t.Elem()) || scalar(t.Elem()))
	default:
		return scalar(t)
	}
}

func scalar(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(textType) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	default:
		return false
	}
}
