package command_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"samvirke.dev/services/platform/command"
	"samvirke.dev/services/platform/config"
)

type settings struct {
	Name string `class:"public" doc:"whom to greet" yaml:"name"`
}

var errNobody = errors.New("nobody there")

func greet(_ context.Context, call command.Call[settings]) error {
	if call.Config.Name == "nobody" {
		return errNobody
	}
	_, err := io.WriteString(call.Out, call.Config.Name+":"+strings.Join(call.Args, ","))
	return err
}

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := command.Program[settings]{
		Usage: "usage: greetd", EnvPrefix: "SAMVIRKE_GREET", Defaults: func() settings { return settings{Name: "world"} },
		Verbs: map[string]command.Verb[settings]{"greet": {Max: 2, Run: greet}, "each": {Min: 1, Max: command.AnyNumber, Run: greet}},
	}.Main(t.Context(), args, &out, io.Discard)
	return out.String(), err
}

func TestMain(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"greet": "world:", "greet --name=you": "you:", "greet --name you a b": "you:a,b", "each a": "world:a", "greet a --name": "world:a,--name",
	} {
		if got, err := run(t, strings.Fields(line)...); got != want || err != nil {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
	if got, err := run(t, "config"); err != nil || !strings.Contains(got, "whom to greet") {
		t.Errorf("config: %q, %v", got, err)
	}
	if _, err := run(t, "greet", "--name", "nobody"); !errors.Is(err, errNobody) {
		t.Errorf("the verb's error: %v", err)
	}
}

func TestCalledWrongly(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "start", "--help", "greet a b c", "each", "each --name x"} {
		_, err := run(t, strings.Fields(line)...)
		if bad, ok := errors.AsType[command.UsageError](err); !ok || bad.Error() != "usage: greetd" || bad.ExitCode() != 2 {
			t.Errorf("%q: %v", line, err)
		}
	}
	_, err := run(t, "greet", "--surprise", "1")
	if _, ok := errors.AsType[config.SettingErrors](err); !ok {
		t.Errorf("an unknown key: %v", err)
	}
}
