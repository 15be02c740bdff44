package charts_test

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

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

// The kubelet's probes of the services learn whether traffic can pass, and no other pod reaches their port.
func TestProbes(t *testing.T) {
	o := render(t, example(t))
	for _, w := range o.workloads() {
		name := strings.TrimPrefix(w.name, "prod-")
		if name == "gateway" {
			continue
		}
		c := w.pod.Spec.Containers[0]
		for path, p := range map[string]*corev1.Probe{"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
			if g := p.HTTPGet; g == nil || g.Path != path || g.Port.StrVal != "probes" {
				t.Errorf("%s %s: %+v", name, path, p)
			}
		}
		port := slices.IndexFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == "probes" })
		if listen := configuration(t, o, name)["probes"]; port < 0 || c.Ports[port].ContainerPort != 8081 || listen != "0.0.0.0:8081" {
			t.Errorf("%s: ports %v, listens at %v", name, c.Ports, listen)
		}
	}
	for _, p := range o.policies {
		for _, in := range p.Spec.Ingress {
			for _, port := range in.Ports {
				if port.Port.IntValue() == 8081 {
					t.Errorf("%s opens the port of the probes", p.Name)
				}
			}
		}
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
