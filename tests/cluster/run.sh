#!/usr/bin/env bash
# Runs tests/cluster against a real SLURM that is started for it and taken down again: run.sh PYTHON [pytest arguments]
# Everything lives in a network namespace that has a loopback device and no route, as on nodes without internet.
# Where SLURM cannot be had, one sentence says why and the exit code is 0.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

skip() {
    echo "tests/cluster: skipped, $1" >&2
    exit 0
}

if [ "${JUDGEMERGE_LAB:-}" != inside ]; then
    [ "$(uname)" = Linux ] || skip "SLURM runs on Linux only"
    [ "$(id -u)" = 0 ] || skip "starting a SLURM takes root; call it with sudo, or as root in a container"
    if ! { command -v slurmctld && command -v slurmd && command -v munged; } > /dev/null; then
        command -v apt-get > /dev/null || skip "slurmctld, slurmd and munged are not installed and there is no apt-get"
        { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
            slurm-wlm munge iproute2; } > /dev/null || skip "apt-get could not install slurm-wlm and munge"
    fi
    if [ -e /etc/slurm/slurm.conf ] && ! grep -q '^# slurm-lab state: ' /etc/slurm/slurm.conf; then
        skip "this machine belongs to a SLURM cluster already (/etc/slurm/slurm.conf)"
    fi
    "$here/slurm-down.sh" > /dev/null # what an interrupted run left
    export JUDGEMERGE_LAB=inside
    if unshare --net --mount true 2> /dev/null && command -v ip > /dev/null; then
        JUDGEMERGE_LAB_ROUTE=none exec unshare --net --mount "$0" "$@"
    fi
    exec "$0" "$@"
fi

if [ -n "${JUDGEMERGE_LAB_ROUTE:-}" ]; then
    ip link set lo up
    # An address of its own, without a route: with 127.0.0.1 alone SLURM's name lookups find no address family.
    ip address add 198.51.100.1/32 dev lo
    # Nodes know each other's names. Without this, processes that train together ask a name server for them: torch names
    # the address that does not answer yet, also an IPv4 one in the form of IPv6.
    hosts=$(mktemp)
    {
        cat /etc/hosts
        printf '%s lab.invalid\n' 198.51.100.1 ::ffff:198.51.100.1
        printf '%s localhost\n' ::1 ::ffff:127.0.0.1
    } > "$hosts"
    mount --bind "$hosts" /etc/hosts
    rm "$hosts"
fi
trap '"$here/slurm-down.sh"' EXIT
"$here/slurm-up.sh"
python=$1
shift
"$python" -m pytest -p no:cacheprovider "$here" "$@"
