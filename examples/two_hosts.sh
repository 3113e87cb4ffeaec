#!/usr/bin/env bash
# One training on two hosts, played on one machine.
#
#     sudo examples/two_hosts.sh [DATA [any options of glyphlab train]]
#
# The hosts are two network namespaces: each has its own network card, address and loopback, and reaches the other over
# a virtual cable alone. On real hosts only the two commands at the end are needed, one on each, without "ip netns exec".
#
# Needs Linux, iproute2, and root for the namespaces. PYTHON: an interpreter that has glyphlab[train].
set -euo pipefail

PYTHON=${PYTHON:-python3}
DATA=${1:-digits}
shift || true
PORT=29500

cleanup() {
    ip netns delete glyphlab-a 2>/dev/null || true
    ip netns delete glyphlab-b 2>/dev/null || true # the cable goes with its ends
}
trap cleanup EXIT
cleanup

# Two hosts and a cable between them: 10.77.0.1 and 10.77.0.2, each by its card "wire".
ip netns add glyphlab-a
ip netns add glyphlab-b
ip link add wire netns glyphlab-a type veth peer name wire netns glyphlab-b
ip -n glyphlab-a address add 10.77.0.1/24 dev wire
ip -n glyphlab-b address add 10.77.0.2/24 dev wire
for host in glyphlab-a glyphlab-b; do
    ip -n "$host" link set lo up
    ip -n "$host" link set wire up
done

# They have one processor between them, so each gets its own half of the cores.
cores=$(nproc)
half=$(((cores + 1) / 2))
declare -A cores_of=([glyphlab-a]="0-$((half - 1))" [glyphlab-b]="$((half % cores))-$((cores - 1))")

# The same on every host but for --node-rank. The first host's process 0 writes runs/ and speaks; the second host only
# needs the data set. A host with several cards has to say which one leads to the others: GLOO_SOCKET_IFNAME.
on_host() { # on_host NAMESPACE NODE_RANK [options]
    local host=$1 rank=$2
    shift 2
    ip netns exec "$host" taskset --cpu-list "${cores_of[$host]}" env GLOO_SOCKET_IFNAME=wire "$PYTHON" -m torch.distributed.run \
        --nnodes 2 --node-rank "$rank" --nproc-per-node 1 --master-addr 10.77.0.1 --master-port "$PORT" \
        -m glyphlab train "$@"
}

on_host glyphlab-b 1 "$DATA" "$@" &
other=$!
on_host glyphlab-a 0 "$DATA" "$@"
wait "$other"
