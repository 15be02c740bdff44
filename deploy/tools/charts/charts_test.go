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

// Every pod is closed as far as Kubernetes can close it, and an update takes no replica away before another is there.
func TestPods(t *testing.T) {
	o := render(t, example(t))
	var names []string
	for _, d := range o.deployments {
		if d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
			t.Errorf("%s: an update may take replicas away first", d.Name)
		}
	}
	several := 0
	for _, w := range o.workloads() {
		names = append(names, strings.TrimPrefix(w.name, "prod-"))
		if w.replicas > 1 {
			several++
		}
		closed(t, w)
	}
	slices.Sort(names)
	if !slices.Equal(names, suite) || len(o.services) != len(suite) || len(o.accounts) != len(suite) || len(o.configs) != len(suite) || len(o.budgets) != several {
		t.Fatalf("%v, %d services, %d accounts, %d configurations, %d budgets", names, len(o.services), len(o.accounts), len(o.configs), len(o.budgets))
	}
}

func closed(t *testing.T, w workload) {
	t.Helper()
	pod := w.pod.Spec
	want := func(ok bool, what string) {
		t.Helper()
		if !ok {
			t.Errorf("%s: %s", w.name, what)
		}
	}
	want(*pod.SecurityContext.RunAsNonRoot && *pod.SecurityContext.RunAsUser > 0, "runs as root")
	want(pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "no seccomp profile")
	want(!*pod.AutomountServiceAccountToken, "holds a token of the cluster")
	want(*pod.TerminationGracePeriodSeconds > 20, "is killed before it has drained")
	for k, v := range w.selector {
		want(w.pod.Labels[k] == v, "the selector does not find its pods")
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, c := range w.claims {
		volumes[c.Name] = true
	}
	for _, c := range pod.Containers {
		s := c.SecurityContext
		want(*s.ReadOnlyRootFilesystem && !*s.AllowPrivilegeEscalation && slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}), "container is not closed")
		want(c.StartupProbe != nil && c.ReadinessProbe != nil && c.LivenessProbe != nil, "probes are missing")
		want(!c.Resources.Limits.Memory().IsZero() && !c.Resources.Requests.Cpu().IsZero(), "no resources")
		for _, e := range c.Env {
			want(e.Value == "", "a value in the environment")
		}
		for _, m := range c.VolumeMounts {
			want(volumes[m.Name], "mount "+m.Name+" has no volume")
			delete(volumes, m.Name)
		}
		want(len(volumes) == 0, "volumes that are not mounted")
	}
}

// The audit service is the ledger's only writer: one pod, never two at once, on a volume that one pod may hold, and a second store.
func TestLedger(t *testing.T) {
	o := render(t, example(t))
	if len(o.sets) != 1 || o.sets[0].Name != "prod-audit" || *o.sets[0].Spec.Replicas != 1 {
		t.Fatalf("%d stateful sets", len(o.sets))
	}
	set := o.sets[0].Spec
	if len(set.VolumeClaimTemplates) != 1 || !slices.Equal(set.VolumeClaimTemplates[0].Spec.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod}) {
		t.Errorf("claims: %+v", set.VolumeClaimTemplates)
	}
	if set.ServiceName != "prod-audit" || set.UpdateStrategy.Type != appsv1.RollingUpdateStatefulSetStrategyType {
		t.Errorf("%q, %v", set.ServiceName, set.UpdateStrategy)
	}
	mounts := map[string]string{}
	for _, m := range set.Template.Spec.Containers[0].VolumeMounts {
		mounts[m.Name] = m.MountPath
		if m.ReadOnly != !slices.Contains([]string{"data", "checkpoints", "tmp"}, m.Name) {
			t.Errorf("%s: read-only is %v", m.Name, m.ReadOnly)
		}
	}
	conf := configuration(t, o, "audit")
	ledger, copies := conf["ledger"].(map[string]any)["dir"].(string), conf["checkpoints"].(map[string]any)["dir"].(string)
	if !strings.HasPrefix(ledger, mounts["data"]+"/") || copies != mounts["checkpoints"] {
		t.Errorf("ledger in %s, copies in %s, mounts %v", ledger, copies, mounts)
	}
}

// The gateway has no database and no agreements; its probes ask it over HTTPS at the listener that wants no certificate.
func TestGateway(t *testing.T) {
	o := render(t, example(t))
	conf := configuration(t, o, "gateway")
	for _, key := range []string{"environment", "database", "agreements", "shipping"} {
		if _, has := conf[key]; has {
			t.Errorf("the gateway knows no %s", key)
		}
	}
	services, _ := conf["services"].(map[string]any)
	if len(services) != len(suite)-1 || services["insurance"] != "prod-insurance:8443" {
		t.Errorf("services: %v", services)
	}
	for _, d := range o.deployments {
		if d.Name != "prod-gateway" {
			continue
		}
		c := d.Spec.Template.Spec.Containers[0]
		for _, v := range d.Spec.Template.Spec.Volumes {
			if strings.HasPrefix(v.Name, "postgres") || v.Name == "agreements" {
				t.Errorf("volume %s", v.Name)
			}
		}
		ports := map[string]int32{}
		for _, p := range c.Ports {
			ports[p.Name] = p.ContainerPort
		}
		for path, p := range map[string]*corev1.Probe{"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
			if g := p.HTTPGet; g == nil || g.Path != path || g.Scheme != corev1.URISchemeHTTPS || g.Port.StrVal != "public" {
				t.Errorf("%s: %+v", path, p)
			}
		}
		if listen := conf["public"].(map[string]any)["listen"]; ports["public"] != 8444 || listen != "0.0.0.0:8444" {
			t.Errorf("ports %v, listens at %v", ports, listen)
		}
	}
	for _, s := range o.services {
		if headless := s.Spec.ClusterIP == corev1.ClusterIPNone; headless == (s.Name == "prod-gateway") {
			t.Errorf("%s: cluster address %q", s.Name, s.Spec.ClusterIP)
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
		for _, host := range configuration(t, render(t, nil), "gateway")["names"].([]any) {
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
