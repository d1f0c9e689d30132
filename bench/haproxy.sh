#!/usr/bin/env bash
# What the rules cost: requests/s of one HAProxy thread with key check, limits and the product's log line, and of the same
# HAProxy as a plain proxy with its own log line:  bench/haproxy.sh [SECONDS]   (RUNS=5, CUSTOMERS=100000)
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly seconds=${1:-5} runs=${RUNS:-5} customers=${CUSTOMERS:-100000}
readonly haproxy=${HAPROXY:-/usr/sbin/haproxy} port=${PORT:-23170}
key=$(printf 'S%036d' 7)

# Two keys a customer, as in the targets; the one that is used is among them.
python3 - "$folder" "$customers" "$key" <<'PYTHON'
import hashlib, sys
folder, customers, key = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with open(f"{folder}/keys.map", "w") as keys, open(f"{folder}/limits.map", "w") as limits:
    keys.write(f"{hashlib.sha256(key.encode()).hexdigest().upper()} 7/1/1/F00D\n")
    for number in range(1, customers + 1):
        limits.write(f"{number}/1/1 1000000|1000010|3|on\n")
        for which in range(2):
            digest = hashlib.sha256(f"{number}/{which}".encode()).hexdigest().upper()
            keys.write(f"{digest} {number}/1/1/F00D\n")
open(f"{folder}/allowlist.map", "w").close()
open(f"{folder}/version.map", "w").write("version 1/sma.1\n")
PYTHON

printf '[gateway]\nmap_dir = "%s"\nhaproxy_socket = "%s/admin.sock"\n' "$folder" "$folder" >"$folder/suiftly.toml"
"$SUIFTLY_BIN" haproxy print --config "$folder/suiftly.toml" --listen seal=127.0.0.1:$((port + 1)) \
  --upstream seal=127.0.0.1:"$port" --listen grpc=127.0.0.1:$((port + 2)) --listen graphql=127.0.0.1:$((port + 3)) |
  sed -e '/^  user \|^  group \|^  chroot /d' -e 's|/dev/log len 8192|stdout len 8192 format raw|' \
    -e 's/^  maxconn 8000/  maxconn 4000\n  nbthread 1/' >"$folder/rules.cfg"
sed -n '1,/^# ---/p' "$folder/rules.cfg" | sed -e "s|admin.sock|plain.sock|" >"$folder/plain.cfg"
cat >>"$folder/plain.cfg" <<CFG
frontend plain
  bind 127.0.0.1:$((port + 4))
  log stdout len 8192 format raw local0 info
  option httplog
  default_backend be
backend be
  server s1 127.0.0.1:$port
CFG
upstream_config "$port" >"$folder/upstream.cfg"

pids=()
stop_all() {
  kill "${pids[@]}" 2>/dev/null || true
  clean_up
}
trap stop_all EXIT
for name in upstream rules plain; do
  "$haproxy" -db -f "$folder/$name.cfg" >/dev/null 2>"$folder/$name.err" &
  pids+=($!)
done
# It answers once all maps are loaded.
for ((wait = 0; wait < 100; wait++)); do
  [[ -S $folder/admin.sock && -S $folder/plain.sock ]] && break
  sleep 0.2
done
sleep 1
if [[ ! -S $folder/admin.sock || ! -S $folder/plain.sock ]]; then
  echo 'haproxy: error: HAProxy does not start:' >&2
  cat "$folder"/*.err >&2
  exit 1
fi

# measure PORT: requests/s.
measure() {
  wrk -t 1 -c 32 -d "${seconds}s" -H "X-API-Key: $key" "http://127.0.0.1:$1/v1/keys" >"$folder/wrk"
  if grep -q 'Non-2xx' "$folder/wrk"; then
    echo "haproxy: error: requests were refused:" >&2
    cat "$folder/wrk" "$folder"/*.err >&2
    exit 1
  fi
  awk '/^Requests\/sec:/ { print $2 }' "$folder/wrk"
}

conditions "haproxy, $customers customers, $seconds s each"
measure $((port + 1)) >/dev/null
for ((run = 0; run < runs; run++)); do
  plain=$(measure $((port + 4)))
  rules=$(measure $((port + 1)))
  awk -v plain="$plain" -v rules="$rules" \
    'BEGIN { printf "{\"plain_per_s\":%.0f,\"rules_per_s\":%.0f,\"share\":%.3f}\n", plain, rules, rules / plain }' >"$folder/run"
  tee -a "$folder/runs" <"$folder/run"
done
conditions 'at the end'
echo 'medians:'
medians "$folder/runs" plain_per_s rules_per_s share
