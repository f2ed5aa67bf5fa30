// Podnet is a pod network for nodes that share one layer-2 segment: the CNI configuration of this node's own pod range,
// and on this node one route to every other node's pod range.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
)

type controller struct {
	node     string
	conflist string
	nodes    corelisters.NodeLister
	queue    workqueue.TypedRateLimitingInterface[string]
	ready    atomic.Bool
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig file; empty means the service account of the pod")
	node := flag.String("node", os.Getenv("NODE_NAME"), "name of this node")
	conflist := flag.String("conflist", "/etc/cni/net.d/10-podnet.conflist", "CNI configuration to write")
	listen := flag.String("listen", "127.0.0.1:10270", "address that answers /readyz")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *node, *conflist, *listen); err != nil {
		slog.Error("podnet stops", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, node, conflist, listen string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	c := &controller{
		node:     node,
		conflist: conflist,
		nodes:    factory.Core().V1().Nodes().Lister(),
		queue:    workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { c.reconcileSoon() },
		DeleteFunc: func(any) { c.reconcileSoon() },
		UpdateFunc: func(old, current any) {
			if describe(old.(*corev1.Node)) != describe(current.(*corev1.Node)) {
				c.reconcileSoon()
			}
		},
	}
	if _, err := factory.Core().V1().Nodes().Informer().AddEventHandler(handler); err != nil {
		return err
	}
	if err := watchRoutes(ctx, c.reconcileSoon); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go c.work()

	server := &http.Server{Addr: listen, Handler: http.HandlerFunc(c.readyz)}
	context.AfterFunc(ctx, func() {
		c.queue.ShutDown()
		_ = server.Close()
	})
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// Every event means the same: compare the whole with what should be. So one key is enough, and events that come together are one.
func (c *controller) reconcileSoon() { c.queue.Add(c.node) }

func (c *controller) work() {
	for {
		key, quit := c.queue.Get()
		if quit {
			return
		}
		if err := c.reconcile(); err != nil {
			slog.Error("tried again shortly", "error", err)
			c.queue.AddRateLimited(key)
		} else {
			c.ready.Store(true)
			c.queue.Forget(key)
		}
		c.queue.Done(key)
	}
}

func (c *controller) reconcile() error {
	nodes, err := c.nodes.List(labels.Everything())
	if err != nil {
		return err
	}
	own, err := c.nodes.Get(c.node)
	if err != nil {
		return err
	}
	if len(own.Spec.PodCIDRs) == 0 {
		return fmt.Errorf("node %s has no pod range yet: the controller manager gives it one when the cluster has a pod subnet", own.Name)
	}
	// Routes first: the node is reported ready, and gets pods, as soon as the CNI configuration is there.
	if err := setRoutes(wantedRoutes(nodes, c.node)); err != nil {
		return err
	}
	mtu, err := linkMTU(internalIPs(own))
	if err != nil {
		return err
	}
	return writeIfChanged(c.conflist, conflist(own.Spec.PodCIDRs, mtu))
}

func (c *controller) readyz(writer http.ResponseWriter, request *http.Request) {
	if request.URL.Path != "/readyz" {
		http.NotFound(writer, request)
	} else if !c.ready.Load() {
		http.Error(writer, "routes or CNI configuration not set yet", http.StatusServiceUnavailable)
	}
}
