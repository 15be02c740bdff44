package charts_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const chartDir = "../../helm/samvirke"

// objects are the rendered manifests, each decoded strictly: a field that Kubernetes does not know fails.
type objects struct {
	deployments []appsv1.Deployment
	sets        []appsv1.StatefulSet
	services    []corev1.Service
	accounts    []corev1.ServiceAccount
	configs     []corev1.ConfigMap
	policies    []networkingv1.NetworkPolicy
	budgets     []policyv1.PodDisruptionBudget
}

// suite are the services that the chart runs.
var suite = []string{"audit", "gateway", "identity", "income", "insurance", "transfer"}

// workload is what deployments and stateful sets have in common.
type workload struct {
	name     string
	replicas int32
	selector map[string]string
	pod      corev1.PodTemplateSpec
	claims   []corev1.PersistentVolumeClaim
}

func (o *objects) workloads() []workload {
	var out []workload
	for _, d := range o.deployments {
		out = append(out, workload{name: d.Name, replicas: *d.Spec.Replicas, selector: d.Spec.Selector.MatchLabels, pod: d.Spec.Template})
	}
	for _, s := range o.sets {
		out = append(out, workload{s.Name, *s.Spec.Replicas, s.Spec.Selector.MatchLabels, s.Spec.Template, s.Spec.VolumeClaimTemplates})
	}
	return out
}

func render(t *testing.T, values map[string]any) objects {
	t.Helper()
	chart, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	all, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: "prod", Namespace: "samvirke"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		t.Fatal(err)
	}
	var out objects
	for name, text := range files {
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		for _, doc := range strings.Split(text, "\n---") {
			if strings.TrimSpace(strings.TrimLeft(doc, "-\n# ")) != "" {
				out.add(t, name, doc)
			}
		}
	}
	return out
}

func (o *objects) add(t *testing.T, name, doc string) {
	t.Helper()
	var kind struct {
		Kind string `json:"kind"`
	}
	if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, doc)
	}
	var err error
	switch kind.Kind {
	case "Deployment":
		err = decode(doc, &o.deployments)
	case "StatefulSet":
		err = decode(doc, &o.sets)
	case "Service":
		err = decode(doc, &o.services)
	case "ServiceAccount":
		err = decode(doc, &o.accounts)
	case "ConfigMap":
		err = decode(doc, &o.configs)
	case "NetworkPolicy":
		err = decode(doc, &o.policies)
	case "PodDisruptionBudget":
		err = decode(doc, &o.budgets)
	case "": // a comment
	default:
		t.Fatalf("%s: %q is no kind that the chart should hold", name, kind.Kind)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, doc)
	}
}

func decode[T any](doc string, into *[]T) error {
	var one T
	if err := yaml.UnmarshalStrict([]byte(doc), &one); err != nil {
		return err
	}
	*into = append(*into, one)
	return nil
}

func TestLint(t *testing.T) {
	for _, m := range lint.All(chartDir, map[string]any{}, "samvirke", true).Messages {
		if m.Severity >= support.WarningSev {
			t.Error(m)
		}
	}
}

// The configuration names no secret's value, and the values of an installation come over what the chart knows.
func TestConfiguration(t *testing.T) {
	o := render(t, map[string]any{"services": map[string]any{"insurance": map[string]any{"config": map[string]any{
		"database": map[string]any{"max_conns": 8}, "controllers": []any{map[string]any{"id": "DK:10000017"}},
	}}}})
	for _, c := range o.configs {
		if c.Name == "prod-gateway" {
			continue
		}
		conf := configuration(t, o, strings.TrimPrefix(c.Name, "prod-"))
		database, _ := conf["database"].(map[string]any)
		if !strings.HasPrefix(database["url"].(string), "postgres://samvirke@") || database["password_file"] == "" {
			t.Errorf("%s: database %v", c.Name, database)
		}
		if c.Name != "prod-insurance" {
			continue
		}
		if database["max_conns"] != 8.0 || conf["identity"].(map[string]any)["address"] != "prod-identity:8443" || len(conf["controllers"].([]any)) != 1 {
			t.Errorf("%v", conf)
		}
	}
}

// Nobody's records stay at home, and the audit service ships to nobody but itself.
func TestShipping(t *testing.T) {
	o := render(t, nil)
	for _, service := range suite {
		shipping, _ := configuration(t, o, service)["shipping"].(map[string]any)
		if want := service != "audit" && service != "gateway"; (shipping["address"] == "prod-audit:8443") != want {
			t.Errorf("%s ships to %v", service, shipping)
		}
	}
}

func configuration(t *testing.T, o objects, service string) map[string]any {
	t.Helper()
	for _, c := range o.configs {
		if c.Name == "prod-"+service {
			var conf map[string]any
			if err := yaml.Unmarshal([]byte(c.Data["config.yaml"]), &conf); err != nil {
				t.Fatalf("%s: %v", service, err)
			}
			return conf
		}
	}
	t.Fatalf("no configuration of %s", service)
	return nil
}

// example are the values of an installation, as an operator would write them.
func example(t *testing.T) map[string]any {
	t.Helper()
	values, err := chartutil.ReadValuesFile(renderedDir + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return values
}

const renderedDir = "../../helm/rendered"

var update = flag.Bool("update", false, "write the rendered configurations anew")

// The configurations that the chart writes stand beside it as files. The services' own loaders read those in their tests, which this module
// can't import.
func TestRendered(t *testing.T) {
	o := render(t, example(t))
	for _, c := range o.configs {
		file := filepath.Join(renderedDir, strings.TrimPrefix(c.Name, "prod-")+".yaml")
		if *update {
			if err := os.WriteFile(file, []byte(c.Data["config.yaml"]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(file)
		if err != nil || string(have) != c.Data["config.yaml"] {
			t.Errorf("%s is stale: in deploy/tools/charts run GOWORK=off go test -run TestRendered -args -update (%v)", file, err)
		}
	}
}

// Vault is set up for the services that the chart runs, and signs the host names that the gateway asks for.
func TestVaultSetup(t *testing.T) {
	raw, err := os.ReadFile("../../vault/setup.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var setup struct {
		Services []struct {
			Name     string   `json:"name"`
			DNSNames []string `json:"dns_names"`
		} `json:"services"`
	}
	if err := yaml.Unmarshal(raw, &setup); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range setup.Services {
		names = append(names, s.Name)
		if s.Name != "gateway" {
			continue
		}
		for _, host := range configuration(t, render(t, nil), "gateway")["pki"].(map[string]any)["names"].([]any) {
			if !slices.Contains(s.DNSNames, host.(string)) {
				t.Errorf("Vault signs no certificate for %s", host)
			}
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, suite) {
		t.Errorf("Vault is set up for %v", names)
	}
}

func TestVaultAgent(t *testing.T) {
	o := render(t, map[string]any{"vault": map[string]any{"login": "agent"}})
	for _, w := range o.workloads() {
		a := w.pod.Annotations
		if a["vault.hashicorp.com/agent-inject"] != "true" || !strings.Contains(a["vault.hashicorp.com/agent-inject-template-role-id"], ".Data.data.role_id") {
			t.Errorf("%s: %v", w.name, a)
		}
		for _, v := range w.pod.Spec.Volumes {
			if v.Name == "approle" {
				t.Errorf("%s: wants the secret as well", w.name)
			}
		}
	}
}

// Values that would open something are refused.
func TestValuesRefused(t *testing.T) {
	chart, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range map[string]map[string]any{
		"plain Vault":          {"vault": map[string]any{"address": "http://vault.example:8200"}},
		"database without TLS": {"postgres": map[string]any{"sslmode": "disable"}},
		"no environment":       {"environment": "staging"},
		"no replica":           {"services": map[string]any{"identity": map[string]any{"replicas": 0}}},
		"two ledger writers":   {"services": map[string]any{"audit": map[string]any{"replicas": 2}}},
		"ledger without store": {"services": map[string]any{"audit": map[string]any{"storage": nil}}},
		"no second store":      {"services": map[string]any{"audit": map[string]any{"storage": map[string]any{"checkpointsClaim": ""}}}},
		"gateway unprobed":     {"services": map[string]any{"gateway": map[string]any{"ports": map[string]any{"public": nil}}}},
		"file from nowhere":    {"services": map[string]any{"transfer": map[string]any{"files": map[string]any{"fund": map[string]any{"path": "/run/fund"}}}}},
	} {
		if _, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: "prod"}, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
