package main

import (
	"encoding/json"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// route says which node forwards a pod range.
type route struct{ destination, gateway string }

func internalIPs(node *corev1.Node) []string {
	var addresses []string
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			addresses = append(addresses, address.Address)
		}
	}
	return addresses
}

// describe is all that other nodes need to know of a node: most updates of a Node (its heartbeats) do not touch it.
func describe(node *corev1.Node) string { return fmt.Sprint(node.Spec.PodCIDRs, internalIPs(node)) }

// wantedRoutes has one route for each pod range of each other node, by the node's address of the same family.
func wantedRoutes(nodes []*corev1.Node, self string) map[route]bool {
	wanted := map[route]bool{}
	for _, node := range nodes {
		if node.Name == self {
			continue
		}
		for _, cidr := range node.Spec.PodCIDRs {
			prefix, err := netip.ParsePrefix(cidr)
			if err != nil {
				continue
			}
			for _, ip := range internalIPs(node) {
				address, err := netip.ParseAddr(ip)
				if err == nil && address.Is4() == prefix.Addr().Is4() {
					wanted[route{prefix.Masked().String(), address.String()}] = true
					break
				}
			}
		}
	}
	return wanted
}

// conflist gives each pod a point-to-point link. All its traffic is routed by the node, also to pods of the same node,
// so Services work whether or not the kernel passes bridged packets to the packet filter.
func conflist(cidrs []string, mtu int) []byte {
	type object map[string]any
	var ranges [][]object
	var routes []object
	for _, cidr := range cidrs {
		ranges = append(ranges, []object{{"subnet": cidr}})
		everything := "0.0.0.0/0"
		if prefix, err := netip.ParsePrefix(cidr); err == nil && prefix.Addr().Is6() {
			everything = "::/0"
		}
		routes = append(routes, object{"dst": everything})
	}
	text, _ := json.MarshalIndent(object{
		"cniVersion": "1.0.0",
		"name":       "podnet",
		"plugins": []object{
			{
				"type":   "ptp",
				"ipMasq": false,
				"mtu":    mtu,
				"ipam":   object{"type": "host-local", "dataDir": "/run/cni-podnet", "ranges": ranges, "routes": routes},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}, "", "  ")
	return append(text, '\n')
}
