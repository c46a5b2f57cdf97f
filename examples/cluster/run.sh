#!/usr/bin/env bash
# Two nodes of Snapwire over three NATS servers, as processes of this machine.
#
#   ./run.sh            serves until Ctrl-C
#   ./run.sh --check    shows that it works, also without one of the servers, and ends
#
# NATS_SERVER and SNAPWIRE name other commands; REPO another repository; PORT the first of nine ports.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
check=${1:-}
port=${PORT:-4750}
nats_server=${NATS_SERVER:-$(PATH="$PATH:/usr/sbin:/usr/local/bin" command -v nats-server || true)}
[ -n "$nats_server" ] || { echo "There is no nats-server: apt-get install nats-server, or see https://nats.io"; exit 1; }
bundle="$here/../../dist/cli/snapwire.mjs"
if [ -n "${SNAPWIRE:-}" ]; then read -r -a snapwire <<<"$SNAPWIRE"
elif [ -f "$bundle" ]; then snapwire=(node "$bundle")
else snapwire=(npx --yes -p snapwire -p @nats-io/transport-node@3.3.1 -p @nats-io/jetstream@3.3.1 snapwire); fi

work=$(mktemp -d)
pids=()
finish() {
  trap - EXIT
  for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

repo=${REPO:-}
if [ -z "$repo" ]; then
  repo="$work/demo"
  git init -q -b main "$repo"
  git -C "$repo" -c user.name=demo -c user.email=demo@example.org commit -q --allow-empty -m "first"
fi

# Three servers that are one: each knows the routes to all.
routes=""; servers=""
for n in 1 2 3; do
  routes+="${routes:+,}nats://127.0.0.1:$((port + 6 + n - 1))"
  servers+="${servers:+,}127.0.0.1:$((port + 3 + n - 1))"
done
for n in 1 2 3; do
  "$nats_server" --name "n$n" -a 127.0.0.1 -p $((port + 3 + n - 1)) -js -sd "$work/n$n" \
    --cluster_name snapwire --cluster "nats://127.0.0.1:$((port + 6 + n - 1))" --routes "$routes" >"$work/n$n.log" 2>&1 &
  pids+=($!)
done

# Both nodes see the same folders, so they share a name: what one of them finds is the other's too.
journal="nats://$servers?replicas=3&name=demo"
export HOME="$work/home"; mkdir -p "$HOME"
for n in 1 2; do
  "${snapwire[@]}" serve --repo "$repo" --port $((port + n)) --no-open --journal "$journal" >"$work/node$n.log" 2>&1 &
  pids+=($!)
done
one="http://127.0.0.1:$((port + 1))"; two="http://127.0.0.1:$((port + 2))"

until_ok() { # seconds what command...
  local left=$(($1 * 5)) what=$2; shift 2
  until "$@" >"$work/last.log" 2>&1; do
    left=$((left - 1))
    if [ "$left" -le 0 ]; then
      echo "Not in time: $what"; cat "$work/last.log"; tail -n 20 "$work"/node*.log; exit 1
    fi
    sleep 0.2
  done
}
until_ok 60 "the first node is ready" curl -fsS "$one/readyz"
until_ok 60 "the second node is ready" curl -fsS "$two/readyz"
echo "Two nodes: $one and $two, over nats://$servers"

if [ "$check" != "--check" ]; then
  echo "In another terminal: ${snapwire[*]} watch $two"
  echo "Ctrl-C ends all of it."
  wait
  exit 0
fi

sees() { "${snapwire[@]}" watch "$1" --project demo --once --json | grep -q "$2"; }
say() { "${snapwire[@]}" publish "$2" --url "$1" --project demo --set "name=$3"; }

until_ok 20 "a change can be made at the second node" say "$two" demo/card "made-at-two"
until_ok 10 "it is seen at the first" sees "$one" '"name":"made-at-two"'
echo "ok: what is said at one node is seen at the other"

kill -KILL "${pids[0]}"
until_ok 30 "a change can be made without one of three servers" say "$one" demo/card "made-without-n1"
until_ok 10 "it is seen at the second" sees "$two" '"name":"made-without-n1"'
echo "ok: a server was killed, and the state goes on"

kill -TERM "${pids[3]}"
wait "${pids[3]}" || true
until_ok 20 "the second node serves alone" sees "$two" '"name":"made-without-n1"'
echo "ok: a node was stopped, and the other has everything"
