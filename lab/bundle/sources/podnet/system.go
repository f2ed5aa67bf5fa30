package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// protocol marks the routes that are ours, so that those of nodes that are gone are found again, by whichever run made them.
const protocol = netlink.RouteProtocol(112)

// setRoutes makes the routes that carry our mark those that are wanted.
func setRoutes(wanted map[route]bool) error {
	present, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Protocol: protocol}, netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return err
	}
	var failures []error
	kept := map[route]bool{}
	for _, old := range present {
		key := route{old.Dst.String(), old.Gw.String()}
		if wanted[key] {
			kept[key] = true
		} else if err := netlink.RouteDel(&old); err != nil && !errors.Is(err, unix.ESRCH) {
			failures = append(failures, fmt.Errorf("remove route %v: %w", key, err))
		}
	}
	for key := range wanted {
		if kept[key] {
			continue
		}
		_, destination, err := net.ParseCIDR(key.destination)
		if err == nil {
			err = netlink.RouteReplace(&netlink.Route{Dst: destination, Gw: net.ParseIP(key.gateway), Protocol: protocol})
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("set route %v: %w", key, err))
		}
	}
	return errors.Join(failures...)
}

// watchRoutes calls changed when one of our routes was removed by somebody, or another one appeared (an interface came back).
func watchRoutes(ctx context.Context, changed func()) error {
	updates := make(chan netlink.RouteUpdate)
	if err := netlink.RouteSubscribe(updates, ctx.Done()); err != nil {
		return err
	}
	go func() {
		for update := range updates {
			if (update.Protocol == protocol) == (update.Type == unix.RTM_DELROUTE) {
				changed()
			}
		}
	}()
	return nil
}

// linkMTU is the MTU of the interface that has one of the addresses.
func linkMTU(addresses []string) (int, error) {
	links, err := net.Interfaces()
	if err != nil {
		return 0, err
	}
	for _, link := range links {
		own, err := link.Addrs()
		if err != nil {
			return 0, err
		}
		for _, address := range own {
			if network, ok := address.(*net.IPNet); ok && slices.Contains(addresses, network.IP.String()) {
				return link.MTU, nil
			}
		}
	}
	return 0, fmt.Errorf("no interface has one of the node's addresses %v", addresses)
}

// writeIfChanged replaces the file at once, so that the container runtime never reads half of it.
func writeIfChanged(path string, content []byte) error {
	if present, err := os.ReadFile(path); err == nil && bytes.Equal(present, content) {
		return nil
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".podnet-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(content)
	if err := errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
