package charts_test

import (
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
	services    []corev1.Service
	accounts    []corev1.ServiceAccount
	configs     []corev1.ConfigMap
	policies    []networkingv1.NetworkPolicy
	budgets     []policyv1.PodDisruptionBudget
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
	o := render(t, nil)
	if len(o.deployments) < 2 || len(o.services) != len(o.deployments) || len(o.accounts) != len(o.deployments) || len(o.budgets) != len(o.deployments) {
		t.Fatalf("%d deployments, %d services, %d accounts, %d budgets", len(o.deployments), len(o.services), len(o.accounts), len(o.budgets))
	}
	for _, d := range o.deployments {
		pod := d.Spec.Template.Spec
		want := func(ok bool, what string) {
			t.Helper()
			if !ok {
				t.Errorf("%s: %s", d.Name, what)
			}
		}
		want(d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() == 0, "an update may take replicas away first")
		want(*pod.SecurityContext.RunAsNonRoot && *pod.SecurityContext.RunAsUser > 0, "runs as root")
		want(pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "no seccomp profile")
		want(!*pod.AutomountServiceAccountToken, "holds a token of the cluster")
		want(*pod.TerminationGracePeriodSeconds > 20, "is killed before it has drained")
		for k, v := range d.Spec.Selector.MatchLabels {
			want(d.Spec.Template.Labels[k] == v, "the selector does not find its pods")
		}
		for _, c := range pod.Containers {
			s := c.SecurityContext
			want(*s.ReadOnlyRootFilesystem && !*s.AllowPrivilegeEscalation && slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}), "container is not closed")
			want(c.StartupProbe != nil && c.ReadinessProbe != nil && c.LivenessProbe != nil, "probes are missing")
			want(!c.Resources.Limits.Memory().IsZero() && !c.Resources.Requests.Cpu().IsZero(), "no resources")
			for _, e := range c.Env {
				want(e.Value == "", "a value in the environment")
			}
			mounted := map[string]bool{}
			for _, m := range c.VolumeMounts {
				mounted[m.Name] = true
			}
			for _, v := range pod.Volumes {
				want(mounted[v.Name], "volume "+v.Name+" is not mounted")
				delete(mounted, v.Name)
			}
			want(len(mounted) == 0, "mounts of volumes that are not there")
		}
	}
}

// Nothing is reachable unless it is said: a default deny, and one policy for each service with what it calls and who calls it.
func TestNetwork(t *testing.T) {
	o := render(t, nil)
	policies := map[string]networkingv1.NetworkPolicySpec{}
	for _, p := range o.policies {
		policies[p.Name] = p.Spec
		if !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) || !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
			t.Errorf("%s leaves a direction open", p.Name)
		}
	}
	deny := policies["prod-default-deny"]
	if len(deny.Ingress) > 0 || len(deny.Egress) > 0 || len(deny.PodSelector.MatchLabels) == 0 {
		t.Errorf("default deny: %+v", deny)
	}
	if in := policies["prod-identity"].Ingress; len(in) != 1 || len(in[0].From) != 1 || in[0].From[0].PodSelector.MatchLabels["app.kubernetes.io/name"] != "insurance" {
		t.Errorf("identity: %+v", in)
	}
	if in := policies["prod-insurance"].Ingress; len(in) != 0 {
		t.Errorf("insurance is open to %+v", in)
	}
	calls := 0
	for _, e := range policies["prod-insurance"].Egress {
		if len(e.Ports) == 0 {
			t.Errorf("a way out to every port: %+v", e)
		}
		for _, to := range e.To {
			if to.PodSelector != nil && to.PodSelector.MatchLabels["app.kubernetes.io/name"] == "identity" {
				calls++
			}
		}
	}
	if calls != 1 {
		t.Errorf("insurance reaches identity %d times", calls)
	}
	outside := render(t, map[string]any{"ingressFrom": []any{map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"name": "edge"}}}}})
	for _, p := range outside.policies {
		if p.Name == "prod-insurance" && (len(p.Spec.Ingress) != 1 || p.Spec.Ingress[0].From[0].NamespaceSelector == nil) {
			t.Errorf("%+v", p.Spec.Ingress)
		}
	}
}

// The configuration names no secret's value, and the values of an installation come over what the chart knows.
func TestConfiguration(t *testing.T) {
	o := render(t, map[string]any{"services": map[string]any{"insurance": map[string]any{"config": map[string]any{
		"database": map[string]any{"max_conns": 8}, "controllers": []any{map[string]any{"id": "DK:10000017"}},
	}}}})
	for _, c := range o.configs {
		var conf map[string]any
		if err := yaml.Unmarshal([]byte(c.Data["config.yaml"]), &conf); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
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

func TestVaultAgent(t *testing.T) {
	for _, d := range render(t, map[string]any{"vault": map[string]any{"login": "agent"}}).deployments {
		a := d.Spec.Template.Annotations
		if a["vault.hashicorp.com/agent-inject"] != "true" || !strings.Contains(a["vault.hashicorp.com/agent-inject-template-role-id"], ".Data.data.role_id") {
			t.Errorf("%s: %v", d.Name, a)
		}
		for _, v := range d.Spec.Template.Spec.Volumes {
			if v.Name == "approle" {
				t.Errorf("%s: wants the secret as well", d.Name)
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
	} {
		if _, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: "prod"}, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
