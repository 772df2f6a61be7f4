#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Responses over a bad network, to be run in the guest:
#
#	tests/load/run.sh [--responses=N] [--clients=N] [--seed=N]
#
# N responses of each kind of server, see load.c.  The network is the loopback device with
# an MTU of 1500, packets of that size, a delay, losses and reordering by netem.
if [ -z "$LOAD_SESSION" ]; then
	# A session keyring of our own.
	LOAD_SESSION=1 exec keyctl session tls-load "$0" "$@" 2>/dev/null
fi
exec 2>&1
. "$(dirname "$0")/../lib.sh"

responses=100 clients=16 seed=$RANDOM
while [ $# -gt 0 ]; do
	case $1 in
	--responses=[1-9]*) responses=${1#*=} ;;
	--clients=[1-9]*) clients=${1#*=} ;;
	--seed=[0-9]*) seed=${1#*=} ;;
	*) exit 2 ;;
	esac
	shift
done

dir=$(mktemp -d) && cd "$dir" || exit 1
server=
finish() {
	tc qdisc del dev lo root 2>/dev/null
	ip link set dev lo mtu 65536 gso_max_segs 65535
	[ -z "$server" ] || kill "$server"
	rm -rf "$dir"
}
trap finish EXIT

ip link set dev lo up mtu 1500 gso_max_segs 1 || exit 1
# Whatever is lost is lost either way, as the device is both.
tc qdisc replace dev lo root netem limit 20000 delay 2ms 1ms 25% loss 0.3% reorder 3% 50% || {
	echo "Bail out! no netem in this kernel"
	exit 1
}
identity p256.load ec -pkeyopt ec_paramgen_curve:P-256 || exit 1
ring=$(keyctl newring load @s) && load p256.load "$ring" || exit 1
"$bin/tls_server" -p 4435 -k "$ring" >server.log &
server=$!

failed=0 number=0
echo TAP version 13
for kind in example blocking nonblocking uring; do
	number=$((number + 1))
	"$bin/load" -n "$responses" -j "$clients" -s "$seed" $kind |
		sed "s/^\(not \)\?ok - /\1ok $number - /"
	[ "${PIPESTATUS[0]}" = 0 ] || failed=1
	if [ -n "$server" ]; then
		kill "$server"
		wait "$server"
		server=
	fi
done
tc -s qdisc show dev lo | sed 's/^/# /'
echo "1..$number"
exit $failed
