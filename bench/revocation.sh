#!/usr/bin/env bash
# From a customer's call that revokes a key to the first refusal of a real HAProxy: `suiftly serve` with 100,000 other
# customers and 200,000 keys, 1,000 requests a second through HAProxy meanwhile:  bench/revocation.sh [CUSTOMERS]
# (RUNS=3 REVOCATIONS=100; needs HAProxy and wrk)
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly customers=${1:-100000} runs=${RUNS:-3} revocations=${REVOCATIONS:-100} port=${PORT:-23180}
readonly haproxy=${HAPROXY:-/usr/sbin/haproxy}
command -v wrk >/dev/null || { echo 'revocation: error: wrk is missing (sudo apt-get install wrk)' >&2; exit 1; }

echo "filling a ledger with $customers customers" >&2
"$SUIFTLY_BIN" bench vault --customers "$customers" --changes 1 --keep "$folder/data" --json >/dev/null
"$SUIFTLY_BIN" init --dir "$folder/suiftly" --json >/dev/null
mkdir "$folder/maps"
touch "$folder/maps/"{keys,limits,allowlist,version}.map
: >"$folder/haproxy.log"
export SUIFTLY_DATA_DIR=$folder/data SUIFTLY_HTTP_LISTEN=127.0.0.1:0 SUIFTLY_LOG_FORMAT=json
export SUIFTLY_INTAKE_LOG_FILE=$folder/haproxy.log SUIFTLY_GATEWAY_MAP_DIR=$folder/maps
export SUIFTLY_GATEWAY_HAPROXY_SOCKET=$folder/admin.sock SUIFTLY_GATEWAY_HEALTH_LISTEN=127.0.0.1:$((port + 5))
for limit in IP CUSTOMER SIGN_IN_IP SIGN_IN_ADDRESS; do export "SUIFTLY_LIMITS_${limit}_PER_MIN=100000000"; done
config=$folder/suiftly/suiftly.toml

"$SUIFTLY_BIN" haproxy print --config "$config" --listen grpc=127.0.0.1:$((port + 1)) --upstream grpc=127.0.0.1:"$port" \
  --listen seal=127.0.0.1:$((port + 2)) --listen graphql=127.0.0.1:$((port + 3)) |
  sed -e '/^  user \|^  group \|^  chroot /d' -e 's|/dev/log len 8192|stdout len 8192 format raw|' \
    -e 's/^  maxconn 8000/  maxconn 4000\n  nbthread 1/' >"$folder/haproxy.cfg"
upstream_config "$port" >"$folder/upstream.cfg"
pids=()
stop_all() {
  kill "${pids[@]}" 2>/dev/null || true
  clean_up
}
trap stop_all EXIT
"$haproxy" -db -f "$folder/upstream.cfg" 2>"$folder/upstream.err" &
pids+=($!)
"$haproxy" -db -f "$folder/haproxy.cfg" >>"$folder/haproxy.log" 2>"$folder/haproxy.err" &
pids+=($!)
"$SUIFTLY_BIN" serve --config "$config" 2>"$folder/log" &
server=$!
for ((wait = 0; wait < 600; wait++)); do
  curl --silent --fail "http://127.0.0.1:$((port + 5))/api/health" 2>/dev/null | grep -q '"keys":[1-9]' && break
  sleep 0.1
done
url=http://$(sed -n 's/.*"ready".*"address":"\([^"]*\)".*/\1/p' "$folder/log")

conditions "revocation, $customers customers"
for ((run = 0; run < runs; run++)); do
  node "$bench/revocation.mjs" "$url" "http://127.0.0.1:$((port + 1))" "$revocations" "$SUIFTLY_BIN" "$config" >"$folder/run" ||
    { tail -n 5 "$folder/log" "$folder"/*.err >&2; exit 1; }
  tee -a "$folder/runs" <"$folder/run"
done
conditions 'at the end'
echo 'medians:'
medians "$folder/runs" enable_p50_ms enable_p99_ms revoke_p50_ms revoke_p99_ms requests_per_s failed
