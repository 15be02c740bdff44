// Package otel_test holds the observability files against the code: they parse, name only what exists, and show nobody.
package otel_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"go.yaml.in/yaml/v3"

	"samvirke.dev/services/platform/telemetry"
)

func read(t *testing.T, file string, into any) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(file, ".json") {
		err = json.Unmarshal(raw, into)
	} else {
		err = yaml.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v %v", pattern, files, err)
	}
	return files
}

// expression is one PromQL expression and where it stands.
type expression struct{ where, text string }

type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Record, Alert, Expr, For string
			Labels, Annotations      map[string]string
		}
	}
}

type dashboard struct {
	UID, Title string
	Refresh    string
	Panels     []struct {
		Title, Description string
		Datasource         struct{ UID string }
		Targets            []struct{ Expr, LegendFormat string }
	}
	Templating struct {
		List []struct{ Name, Query string }
	}
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	out := map[string]dashboard{}
	for _, file := range glob(t, "grafana/dashboards/*.json") {
		var d dashboard
		read(t, file, &d)
		out[file] = d
	}
	return out
}

func ruleFiles(t *testing.T) map[string]ruleFile {
	t.Helper()
	out := map[string]ruleFile{}
	for _, file := range []string{"rules.yaml", "alerts.yaml"} {
		var r ruleFile
		read(t, file, &r)
		out[file] = r
	}
	return out
}

// expressions returns all of them, and the names that rules record.
func expressions(t *testing.T) (all []expression, recorded []string) {
	t.Helper()
	for file, r := range ruleFiles(t) {
		for _, g := range r.Groups {
			for _, rule := range g.Rules {
				all = append(all, expression{file + " " + rule.Record + rule.Alert, rule.Expr})
				if rule.Record != "" {
					recorded = append(recorded, rule.Record)
				}
			}
		}
	}
	for file, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				all = append(all, expression{file + " " + p.Title, strings.ReplaceAll(target.Expr, "$service", "x")})
			}
		}
		for _, v := range d.Templating.List {
			metric, _, _ := strings.Cut(strings.TrimPrefix(v.Query, "label_values("), ",")
			all = append(all, expression{file + " variable " + v.Name, metric})
		}
	}
	return all, recorded
}

func TestExpressionsNameWhatExists(t *testing.T) {
	t.Parallel()
	known := metricsOfCode(t)
	all, recorded := expressions(t)
	if len(all) < 30 || len(known) < 20 {
		t.Fatalf("%d expressions, %d metrics: that proves little", len(all), len(known))
	}
	labels := map[string]bool{"le": true, "service_name": true, "service_instance_id": true}
	for _, key := range telemetry.Keys() {
		if telemetry.IsLabel(key) {
			labels[strings.ReplaceAll(key, ".", "_")] = true
		}
	}
	used := map[string]bool{}
	for _, e := range all {
		parsed, err := metricsql.Parse(e.text)
		if err != nil {
			t.Errorf("%s: %v", e.where, err)
			continue
		}
		metricsql.VisitAll(parsed, func(x metricsql.Expr) {
			for _, l := range labelsOf(x) {
				if !labels[l] {
					t.Errorf("%s: label %q is never there, or would tell a person", e.where, l)
				}
			}
			for _, name := range namesOf(x) {
				used[name] = true
				if !slices.Contains(known, name) && !slices.Contains(recorded, name) {
					t.Errorf("%s: no code makes the metric %q", e.where, name)
				}
			}
		})
	}
	for _, r := range recorded {
		if !used[r] {
			t.Errorf("nothing uses the recorded series %s", r)
		}
	}
}

func namesOf(e metricsql.Expr) (out []string) {
	if m, ok := e.(*metricsql.MetricExpr); ok {
		for _, filters := range m.LabelFilterss {
			for _, f := range filters {
				if f.Label == "__name__" {
					out = append(out, f.Value)
				}
			}
		}
	}
	return out
}

func labelsOf(e metricsql.Expr) (out []string) {
	switch e := e.(type) {
	case *metricsql.MetricExpr:
		for _, filters := range e.LabelFilterss {
			for _, f := range filters {
				if f.Label != "__name__" {
					out = append(out, f.Label)
				}
			}
		}
	case *metricsql.AggrFuncExpr:
		out = e.Modifier.Args
	}
	return out
}

// An alert says what is wrong and what must be done, in words that no label of a person could enter.
func TestAlertsSayWhatToDo(t *testing.T) {
	t.Parallel()
	labels := regexp.MustCompile(`\$labels\.(\w+)`)
	n := 0
	for _, g := range ruleFiles(t)["alerts.yaml"].Groups {
		for _, a := range g.Rules {
			n++
			if a.Annotations["summary"] == "" || a.Annotations["action"] == "" || !slices.Contains([]string{"page", "ticket"}, a.Labels["severity"]) {
				t.Errorf("%s: %v %v", a.Alert, a.Labels, a.Annotations)
			}
			for _, m := range labels.FindAllStringSubmatch(a.Annotations["summary"]+a.Annotations["action"], -1) {
				if !strings.Contains(a.Expr, m[1]) && !strings.Contains(a.Expr, "samvirke:") {
					t.Errorf("%s speaks of %s, which its series don't have", a.Alert, m[1])
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d alerts", n)
	}
}

func TestDashboardsAreWhole(t *testing.T) {
	t.Parallel()
	var sources struct{ Datasources []struct{ UID, Type string } }
	read(t, "grafana/provisioning/datasources.yaml", &sources)
	uids := map[string]bool{}
	for _, s := range sources.Datasources {
		uids[s.UID] = true
	}
	for file, d := range dashboards(t) {
		if d.UID == "" || d.Title == "" || filepath.Base(file) != d.UID+".json" {
			t.Errorf("%s: uid %q, title %q", file, d.UID, d.Title)
		}
		for _, p := range d.Panels {
			if p.Title == "" || p.Description == "" || !uids[p.Datasource.UID] || len(p.Targets) == 0 {
				t.Errorf("%s: panel %+v", file, p)
			}
		}
	}
}

type collector struct {
	Receivers, Exporters, Extensions map[string]any
	Processors                       map[string]struct {
		AllowAllKeys  bool     `yaml:"allow_all_keys"`
		AllowedKeys   []string `yaml:"allowed_keys"`
		BlockedValues []string `yaml:"blocked_values"`
	}
	Service struct {
		Extensions []string
		Pipelines  map[string]struct{ Receivers, Processors, Exporters []string }
	}
}

// The collector deletes what is not on the services' own list, in every pipeline (domain.md C.4).
//
// covers: SEC-06
func TestCollectorHasTheSameAllowList(t *testing.T) {
	t.Parallel()
	var c collector
	read(t, "collector.yaml", &c)
	redaction := c.Processors["redaction"]
	want := append(telemetry.Keys(), "service.instance.id", "service.name", "service.version")
	slices.Sort(want)
	got := slices.Clone(redaction.AllowedKeys)
	slices.Sort(got)
	if redaction.AllowAllKeys || !slices.Equal(got, slices.Compact(want)) {
		t.Errorf("allowed keys\n%v\nwant\n%v", got, want)
	}
	for _, signal := range []string{"traces", "metrics", "logs"} {
		p := c.Service.Pipelines[signal]
		if !slices.Contains(p.Processors, "redaction") || len(p.Exporters) == 0 {
			t.Errorf("%s: %+v", signal, p)
		}
		for _, part := range []struct {
			names []string
			in    map[string]any
		}{{p.Receivers, c.Receivers}, {p.Exporters, c.Exporters}, {c.Service.Extensions, c.Extensions}} {
			for _, name := range part.names {
				if _, ok := part.in[name]; !ok {
					t.Errorf("%s: no %s is configured", signal, name)
				}
			}
		}
		for _, name := range p.Processors {
			if _, ok := c.Processors[name]; !ok {
				t.Errorf("%s: no processor %s is configured", signal, name)
			}
		}
	}
	for _, number := range []string{"850314-9802", "19850314-9802", "740385-1013"} {
		hit := false
		for _, v := range redaction.BlockedValues {
			hit = hit || regexp.MustCompile(v).MatchString("x "+number+" y")
		}
		if !hit {
			t.Errorf("a value %s would pass", number)
		}
	}
}

// Every listener that other machines reach for data has TLS.
func TestBackendsListenWithTLS(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"collector.yaml", "tempo.yaml", "jaeger.yaml"} {
		var all map[string]any
		read(t, file, &all)
		found := 0
		var walk func(key string, v any)
		walk = func(key string, v any) {
			m, ok := v.(map[string]any)
			if !ok {
				return
			}
			if key == "grpc" {
				found++
				if tls, ok := m["tls"].(map[string]any); !ok || tls["cert_file"] == "" || tls["key_file"] == "" {
					t.Errorf("%s: a receiver without TLS: %v", file, m)
				}
			}
			for k, sub := range m {
				walk(k, sub)
			}
		}
		walk("", all)
		if found == 0 {
			t.Errorf("%s receives nothing", file)
		}
	}
	var prometheus struct {
		RuleFiles     []string         `yaml:"rule_files"`
		ScrapeConfigs []map[string]any `yaml:"scrape_configs"`
	}
	read(t, "prometheus.yaml", &prometheus)
	if len(prometheus.RuleFiles) != 2 || len(prometheus.ScrapeConfigs) != 1 {
		t.Errorf("%+v", prometheus)
	}
	read(t, "grafana/provisioning/dashboards.yaml", new(map[string]any))
}
