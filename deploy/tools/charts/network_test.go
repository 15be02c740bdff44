package charts_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
)

const nameLabel = "app.kubernetes.io/name"

// callers are the services of the suite that may reach each; who is not here reaches nobody. The audit service asks each for the pseudonyms of
// a person, each ships it its records, and the transfer service's own funds send each other what other funds would.
var callers = map[string][]string{
	"identity":  {"audit", "gateway", "insurance", "transfer"},
	"insurance": {"audit", "gateway"},
	"income":    {"audit", "gateway"},
	"transfer":  {"audit", "gateway", "transfer"},
	"audit":     {"gateway", "identity", "income", "insurance", "transfer"},
	"gateway":   nil,
}

func policies(t *testing.T, o objects) map[string]networkingv1.NetworkPolicySpec {
	t.Helper()
	out := map[string]networkingv1.NetworkPolicySpec{}
	for _, p := range o.policies {
		out[strings.TrimPrefix(p.Name, "prod-")] = p.Spec
		if !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) || !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
			t.Errorf("%s leaves a direction open", p.Name)
		}
		for _, in := range p.Spec.Ingress {
			if len(in.Ports) == 0 || len(in.From) == 0 {
				t.Errorf("%s lets everybody or every port in: %+v", p.Name, in)
			}
		}
		for _, e := range p.Spec.Egress {
			if len(e.Ports) == 0 || len(e.To) == 0 {
				t.Errorf("%s has a way out to everybody or every port: %+v", p.Name, e)
			}
		}
	}
	return out
}

// services are the names of ours among the peers, sorted.
func services(peers []networkingv1.NetworkPolicyPeer) []string {
	var out []string
	for _, p := range peers {
		if p.PodSelector != nil && p.NamespaceSelector == nil {
			out = append(out, p.PodSelector.MatchLabels[nameLabel])
		}
	}
	slices.Sort(out)
	return out
}

// Nothing is reachable unless it is said: a default deny, and one policy for each service with what it calls and who calls it. Both ends of each
// way are open, or neither.
func TestNetwork(t *testing.T) {
	all := policies(t, render(t, nil))
	if deny := all["default-deny"]; len(deny.Ingress) > 0 || len(deny.Egress) > 0 || len(deny.PodSelector.MatchLabels) == 0 {
		t.Errorf("default deny: %+v", deny)
	}
	delete(all, "default-deny")
	if have := slices.Sorted(maps.Keys(all)); !slices.Equal(have, suite) {
		t.Fatalf("policies of %v", have)
	}
	for name, p := range all {
		var in, out, callees []string
		for _, rule := range p.Ingress {
			in = append(in, services(rule.From)...)
		}
		if !slices.Equal(in, callers[name]) {
			t.Errorf("%s is open to %v", name, in)
		}
		for _, rule := range p.Egress {
			out = append(out, services(rule.To)...)
		}
		slices.Sort(out)
		for callee, by := range callers {
			if slices.Contains(by, name) {
				callees = append(callees, callee)
			}
		}
		slices.Sort(callees)
		if !slices.Equal(out, callees) {
			t.Errorf("%s calls %v, want %v", name, out, callees)
		}
	}
}

// Everybody reaches Vault and name resolution, and the OTLP endpoint where there is one; everybody but the gateway the database.
func TestNetworkOutside(t *testing.T) {
	all := policies(t, render(t, map[string]any{"telemetry": map[string]any{"endpoint": "https://otlp.example:4317"}}))
	for _, name := range suite {
		ports := map[int]bool{}
		for _, e := range all[name].Egress {
			for _, p := range e.Ports {
				ports[p.Port.IntValue()] = true
			}
		}
		if !ports[53] || !ports[8200] || !ports[4317] || ports[5432] != (name != "gateway") {
			t.Errorf("%s: %v", name, ports)
		}
	}
}

// Load balancers reach what is public and nothing else; ways out beyond the suite are as an installation says.
func TestNetworkEdge(t *testing.T) {
	edge := map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"name": "edge"}}}
	desk := map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"name": "desk"}}}
	register := map[string]any{"to": []any{map[string]any{"ipBlock": map[string]any{"cidr": "192.0.2.0/24"}}}, "ports": []any{map[string]any{"port": 443, "protocol": "TCP"}}}
	all := policies(t, render(t, map[string]any{"ingressFrom": []any{edge}, "services": map[string]any{
		"audit":    map[string]any{"ports": map[string]any{"console": map[string]any{"port": 8445, "from": []any{desk}}}},
		"identity": map[string]any{"callsOutside": []any{register}},
		"income":   map[string]any{"public": false},
	}}))
	open := func(name, from string) []int {
		var out []int
		for _, rule := range all[name].Ingress {
			for _, peer := range rule.From {
				if peer.NamespaceSelector != nil && peer.NamespaceSelector.MatchLabels["name"] == from {
					out = append(out, rule.Ports[0].Port.IntValue())
				}
			}
		}
		slices.Sort(out)
		return out
	}
	for _, c := range []struct {
		service, from string
		ports         []int
	}{
		{"gateway", "edge", []int{8443, 8444}}, {"audit", "edge", []int{8443, 8444}}, {"audit", "desk", []int{8445}}, {"insurance", "edge", []int{8443}},
		{"income", "edge", nil}, {"gateway", "desk", nil},
	} {
		if have := open(c.service, c.from); !slices.Equal(have, c.ports) {
			t.Errorf("%s is open to the %s at %v", c.service, c.from, have)
		}
	}
	for name, p := range all {
		outside := 0
		for _, e := range p.Egress {
			if b := e.To[0].IPBlock; b != nil && b.CIDR == "192.0.2.0/24" {
				outside++
			}
		}
		if (outside == 1) != (name == "identity") {
			t.Errorf("%s has %d ways to the register", name, outside)
		}
	}
}
