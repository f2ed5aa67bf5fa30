package main

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func node(name string, cidrs []string, addresses ...string) *corev1.Node {
	made := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{PodCIDRs: cidrs}}
	made.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}}
	for _, address := range addresses {
		made.Status.Addresses = append(made.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: address})
	}
	return made
}

func TestWantedRoutes(t *testing.T) {
	for name, test := range map[string]struct {
		other *corev1.Node
		want  []route
	}{
		"one range":                 {node("b", []string{"10.244.1.0/24"}, "192.0.2.2"), []route{{"10.244.1.0/24", "192.0.2.2"}}},
		"two families":              {node("b", []string{"10.244.1.0/24", "2001:db8:1::/64"}, "192.0.2.2", "2001:db8::2"), []route{{"10.244.1.0/24", "192.0.2.2"}, {"2001:db8:1::/64", "2001:db8::2"}}},
		"no address of that family": {node("b", []string{"2001:db8:1::/64"}, "192.0.2.2"), nil},
		"first of two addresses":    {node("b", []string{"10.244.1.0/24"}, "192.0.2.2", "192.0.2.3"), []route{{"10.244.1.0/24", "192.0.2.2"}}},
		"no range yet":              {node("b", nil, "192.0.2.2"), nil},
		"no address yet":            {node("b", []string{"10.244.1.0/24"}), nil},
		"host bits in the range":    {node("b", []string{"10.244.1.7/24"}, "192.0.2.2"), []route{{"10.244.1.0/24", "192.0.2.2"}}},
		"not a range":               {node("b", []string{"10.244.1.0"}, "192.0.2.2"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			self := node("a", []string{"10.244.0.0/24"}, "192.0.2.1")
			got := slices.Collect(maps.Keys(wantedRoutes([]*corev1.Node{self, test.other}, "a")))
			slices.SortFunc(got, func(a, b route) int { return len(a.destination) - len(b.destination) })
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestOnlyWhatOthersNeedDescribesANode(t *testing.T) {
	before, after := node("a", []string{"10.244.0.0/24"}, "192.0.2.1"), node("a", []string{"10.244.0.0/24"}, "192.0.2.1")
	after.ResourceVersion = "2"
	if describe(before) != describe(after) {
		t.Error("a heartbeat looks like a change")
	}
	if moved := node("a", []string{"10.244.0.0/24"}, "192.0.2.9"); describe(before) == describe(moved) {
		t.Error("a new address goes unnoticed")
	}
}

func TestConflist(t *testing.T) {
	var read struct {
		Name    string
		Plugins []struct {
			Type string
			MTU  int
			IPAM struct {
				Ranges [][]struct{ Subnet string }
				Routes []struct{ Dst string }
			}
			Capabilities map[string]bool
		}
	}
	if err := json.Unmarshal(conflist([]string{"10.244.1.0/24", "2001:db8:1::/64"}, 1400), &read); err != nil {
		t.Fatal(err)
	}
	link, ports := read.Plugins[0], read.Plugins[1]
	if link.Type != "ptp" || link.MTU != 1400 || !ports.Capabilities["portMappings"] {
		t.Errorf("plugins: %+v", read.Plugins)
	}
	if link.IPAM.Ranges[0][0].Subnet != "10.244.1.0/24" || link.IPAM.Ranges[1][0].Subnet != "2001:db8:1::/64" {
		t.Errorf("ranges: %+v", link.IPAM.Ranges)
	}
	if link.IPAM.Routes[0].Dst != "0.0.0.0/0" || link.IPAM.Routes[1].Dst != "::/0" {
		t.Errorf("routes: %+v", link.IPAM.Routes)
	}
}
