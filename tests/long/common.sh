# shellcheck shell=bash
# What the checks of tests/long have in common; each begins with `source`.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." || exit
export ANSIBLE_COLLECTIONS_PATH="$PWD/collections" PATH="$PWD/.venv/bin:$PATH" ANSIBLE_NOCOLOR=1 ANSIBLE_FORCE_COLOR=0
# What the inventory says at each age of a cluster.
ages=molecule/life/inputs
logs=$PWD/lab/.state/long
control_planes=(cp1 cp2 cp3)
nodes=("${control_planes[@]}" w1 w2 w3)
failures=0
mkdir -p "$logs"

on() {  # on NODE COMMAND...: as root there
    local node=$1
    shift
    lab/as_root docker exec "quorum-$node" "$@"
}

run() {  # run LOG PLAYBOOK WORD...: a user's command, its output into a log
    local log=$logs/$1.log playbook=$2
    shift 2
    ansible-playbook "$playbook" -i inventories/lab "$@" > "$log" 2>&1 < /dev/null
}

built() {  # built WORD...: six new machines, and a cluster on them
    { lab/as_root .venv/bin/ansible-playbook lab/destroy.yml && lab/as_root .venv/bin/ansible-playbook lab/create.yml; } > "$logs/create.log" 2>&1 \
        && run build site.yml "$@" && return
    echo "the cluster cannot be built; the end of $logs/build.log:"
    tail -n 20 "$logs/build.log"
    exit 1
}

serving() {  # a control plane whose API server answers
    local node
    for node in "${control_planes[@]}"; do
        on "$node" kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw /readyz --request-timeout=2s > /dev/null 2>&1 && echo "$node" && return
    done
    return 1
}

ask() {  # ask WORD...: kubectl, on a control plane that serves
    local node
    node=$(serving) && on "$node" kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout=5s "$@"
}

cordoned() { ask get nodes --output 'jsonpath={range .items[?(@.spec.unschedulable)]}{.metadata.name}{"\n"}{end}'; }

# Where a moment can be seen, it is: the name of the node that is at it, or nothing.
at_kubeadm() {  # at_kubeadm NODE...: a node on which `kubeadm upgrade` runs
    local node
    for node; do on "$node" pgrep -f 'kubeadm upgrade' > /dev/null 2>&1 && echo "$node" && return; done
    return 1
}

expect() {  # expect WHAT COMMAND...: the command must succeed
    local what=$1
    shift
    if "$@"; then
        echo "✓ $what"
    else
        echo "✗ $what"
        failures=$((failures + 1))
    fi
}

says() { grep -qE -- "$2" "$logs/$1.log"; }  # says LOG PATTERN

is_upgraded() {  # is_upgraded VERSION: what must be true of a cluster after its upgrade
    expect "every kubelet is of $1" test "$(ask get nodes --output 'jsonpath={range .items[*]}{.status.nodeInfo.kubeletVersion}{"\n"}{end}' | sort -u)" = "v$1"
    expect "no node is cordoned" test -z "$(cordoned)"
    expect "the Lease is free" test -z "$(ask --namespace kube-system get lease quorum.kubeadm --ignore-not-found --output 'jsonpath={.spec.holderIdentity}')"
    expect "verify.yml finds nothing wrong" run verify playbooks/verify.yml "--extra-vars=@$ages/upgraded.yml"
}

ended() { [[ $failures -eq 0 ]] || { echo "$failures expectations failed"; exit 1; }; }
