#!/usr/bin/env bash
# Keys found among many, and the start of a server with many customers:  bench/accounts.sh [COUNT]   (RUNS=5)
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly count=${1:-1000000} runs=${RUNS:-5}

"$SUIFTLY_BIN" init --dir "$folder/suiftly" --json >/dev/null
: >"$folder/haproxy.log"
export SUIFTLY_HTTP_LISTEN=127.0.0.1:0 SUIFTLY_INTAKE_LOG_FILE=$folder/haproxy.log
export SUIFTLY_DATA_DIR=$folder/data

# From the start of the process until it answers, in ms.
start_ms() {
  local began
  : >"$folder/log"
  began=$(date +%s%N)
  "$SUIFTLY_BIN" serve --config "$folder/suiftly/suiftly.toml" 2>"$folder/log" &
  server=$!
  until grep -q '"ready"' "$folder/log"; do
    kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
    sleep 0.01
  done
  echo $((($(date +%s%N) - began) / 1000000)) >"$folder/start"
  kill "$server"
  wait "$server"
  server=
}

conditions "accounts, $count customers and keys"
for ((run = 0; run < runs; run++)); do
  rm -rf -- "$folder/data"
  report=$("$SUIFTLY_BIN" bench accounts "$folder/data" --count "$count" --json)
  # The first start also makes the traffic store.
  start_ms
  start_ms
  echo "{\"start_ms\":$(<"$folder/start"),${report#\{}" | tee -a "$folder/runs"
done
conditions 'at the end'
medians "$folder/runs" look_up_p50_us look_up_p99_us decode_p50_us start_ms
