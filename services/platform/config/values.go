package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setText gives v the value of a text and returns what is wanted instead if the text is wrong. The errors of parsers are not used,
// because they repeat the text.
func setText(v reflect.Value, text string) (want string) {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(text)); err != nil {
			return wantOf(v.Type(), err)
		}
		return ""
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			return "want a duration with unit, such as 1m30s"
		}
		v.SetInt(int64(d))
		return ""
	}
	if v.Kind() == reflect.Slice {
		return setList(v, text)
	}
	return setScalar(v, text)
}

// wanter is an error of UnmarshalText that may be shown: it says what is wanted and does not repeat the text.
type wanter interface{ Want() string }

func wantOf(t reflect.Type, err error) string {
	if w, ok := errors.AsType[interface {
		error
		wanter
	}](err); ok {
		return w.Want()
	}
	return "want a valid " + t.Name()
}

func setList(v reflect.Value, text string) string {
	list := reflect.MakeSlice(v.Type(), 0, 1)
	if text != "" {
		for part := range strings.SplitSeq(text, ",") {
			element := reflect.New(v.Type().Elem()).Elem()
			if want := setText(element, strings.TrimSpace(part)); want != "" {
				return "in each part between commas: " + want
			}
			list = reflect.Append(list, element)
		}
	}
	v.Set(list)
	return ""
}

func setScalar(v reflect.Value, text string) string {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return "want true or false"
		}
		v.SetBool(text == "true")
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return "want a number"
		}
		v.SetFloat(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Sprintf("want a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-v.Type().Bits()))
		}
		v.SetUint(n)
	default:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Sprintf("want a whole number of at most %d", int64(math.MaxInt64)>>(64-v.Type().Bits()))
		}
		v.SetInt(n)
	}
	return ""
}

// Size is a number of bytes, written with a unit: 512B, 64KiB, 10MiB, 2GiB, or kB, MB, GB for powers of ten.
type Size int64

// units, the longest suffix first.
func units() []struct {
	suffix string
	bytes  int64
} {
	return []struct {
		suffix string
		bytes  int64
	}{
		{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
	}
}

type sizeError struct{}

func (sizeError) Error() string { return "config: not a size" }

func (sizeError) Want() string { return "want a size with unit, such as 64KiB or 10MB" }

// UnmarshalText reads a size. A bare number is refused: it would be a guess.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range units() {
		number, ok := strings.CutSuffix(string(text), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.bytes {
			return sizeError{}
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return sizeError{}
}

// String writes the size with the largest unit that needs no fraction, powers of two first.
func (s Size) String() string {
	if s != 0 {
		for _, u := range units() {
			if int64(s)%u.bytes == 0 && (u.bytes&(u.bytes-1) == 0) {
				return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
			}
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// MarshalText is String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// SecretFile is the path of a file that holds a secret. Secrets themselves are never in a configuration, so they can't be in a
// process list, an environment or a log.
type SecretFile string

// Read returns the secret: the file's content without the line end that editors add. The error names the path, never the content.
func (f SecretFile) Read() ([]byte, error) {
	if f == "" {
		return nil, errors.New("config: no secret file named")
	}
	content, err := os.ReadFile(string(f))
	if err != nil {
		return nil, fmt.Errorf("config: secret file: %w", err)
	}
	secret := strings.TrimRight(string(content), "\r\n")
	if secret == "" {
		return nil, fmt.Errorf("config: secret file %s is empty", string(f))
	}
	return []byte(secret), nil
}
