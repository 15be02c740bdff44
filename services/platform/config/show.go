package config

import (
	"encoding"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"
)

// hidden stands for a value that must not be shown.
const hidden = "[redacted]"

// Redacted returns the configuration for a log line or a debug page: one attribute per key, with the value of public and internal
// fields and a mark for everything else. A field without class counts as secret.
func Redacted(dst any) []slog.Attr {
	v := reflect.Indirect(reflect.ValueOf(dst))
	if v.Kind() != reflect.Struct {
		return nil
	}
	return redact(v, "")
}

func redact(v reflect.Value, path string) []slog.Attr {
	var out []slog.Attr
	eachField(v, func(f reflect.StructField, v reflect.Value, name string) {
		key, class := join(path, name), f.Tag.Get("class")
		switch {
		case isSection(f.Type):
			out = append(out, redact(v, key)...)
		case class != ClassPublic && class != ClassInternal:
			out = append(out, slog.String(key, hidden))
		case fileOnly(f.Type) && isSection(f.Type.Elem()):
			walkBelow(v, key, func(path string, v reflect.Value) { out = append(out, redact(v, path)...) })
		default:
			out = append(out, slog.String(key, textOf(v)))
		}
	})
	return out
}

// textOf writes a value as it would be written in a configuration.
func textOf(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Duration:
		return value.String()
	case encoding.TextMarshaler:
		text, err := value.MarshalText()
		if err != nil {
			return hidden
		}
		return string(text)
	}
	if v.Kind() == reflect.Slice {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = textOf(v.Index(i))
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(v.Interface())
}

// Reference returns the configuration reference in Markdown, with the values of dst as defaults. A test of each program compares it with
// the page that is kept in the tree.
func Reference(dst any, envPrefix string) string {
	v := reflect.Indirect(reflect.ValueOf(dst))
	if v.Kind() != reflect.Struct {
		return ""
	}
	var b strings.Builder
	b.WriteString("| key, flag | environment | type | default | class | meaning |\n|---|---|---|---|---|---|\n")
	reference(&b, v, "", envPrefix)
	return b.String()
}

func reference(b *strings.Builder, v reflect.Value, path, envPrefix string) {
	for _, f := range leavesOf(v, path) {
		if fileOnly(f.value.Type()) {
			row(b, f, "file only", "")
			if t := f.value.Type(); isSection(t.Elem()) {
				reference(b, reflect.New(t.Elem()).Elem(), f.key+"[]", "")
			}
			continue
		}
		env := "file only"
		if envPrefix != "" {
			env = "`" + EnvName(envPrefix, f.key) + "`"
		}
		row(b, f, env, defaultText(f))
	}
}

func row(b *strings.Builder, f leaf, env, def string) {
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	_, _ = fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n", // a Builder never fails
		f.key, env, typeName(f.value.Type()), cell.Replace(def), f.class, cell.Replace(f.doc))
}

func defaultText(f leaf) string {
	if f.value.IsZero() || f.class == ClassSecret {
		return ""
	}
	return "`" + textOf(f.value) + "`"
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t == reflect.TypeFor[Size]():
		return "size"
	case t == reflect.TypeFor[SecretFile]():
		return "path of a file"
	case reflect.PointerTo(t).Implements(textType):
		return strings.ToLower(t.Name())
	case t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem())
	case t.Kind() == reflect.Map:
		return "table of " + typeName(t.Elem())
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Struct:
		return "section"
	default:
		return "whole number"
	}
}
