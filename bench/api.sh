#!/usr/bin/env bash
# Authenticated reads and sign-ins a second, over loopback:  bench/api.sh [SECONDS]   (RUNS=5; needs wrk)
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly seconds=${1:-5} runs=${RUNS:-5}
command -v wrk >/dev/null || { echo 'api: error: wrk is missing (sudo apt-get install wrk)' >&2; exit 1; }

"$SUIFTLY_BIN" init --dir "$folder/suiftly" --json >/dev/null
: >"$folder/haproxy.log"
export SUIFTLY_HTTP_LISTEN=127.0.0.1:0 SUIFTLY_INTAKE_LOG_FILE=$folder/haproxy.log SUIFTLY_LOG_FORMAT=json
for limit in IP CUSTOMER SIGN_IN_IP SIGN_IN_ADDRESS; do export "SUIFTLY_LIMITS_${limit}_PER_MIN=100000000"; done
"$SUIFTLY_BIN" serve --config "$folder/suiftly/suiftly.toml" 2>"$folder/log" &
server=$!
for ((wait = 0; wait < 100; wait++)); do
  grep -q '"ready"' "$folder/log" && break
  sleep 0.1
done
url=http://$(sed -n 's/.*"ready".*"address":"\([^"]*\)".*/\1/p' "$folder/log")
cookie=$(node "$bench/api.mjs" prepare "$url")

# reads NAME PATH: one line of JSON, from wrk's report.
reads() {
  wrk --threads 1 --connections 32 --duration "${seconds}s" --latency --header "$cookie" "$url$2" >"$folder/wrk"
  if grep -q 'Non-2xx' "$folder/wrk"; then
    echo 'api: error: not every request was answered:' >&2
    cat "$folder/wrk" >&2
    exit 1
  fi
  awk -v name="$1" '
    function ms(text) { return text ~ /us$/ ? text / 1000 : text ~ /ms$/ ? text + 0 : text * 1000 }
    /Requests\/sec/ { rate = $2 }
    $1 == "50%" { p50 = ms($2) }
    $1 == "99%" { p99 = ms($2) }
    END { printf "\"%s_per_s\":%d,\"%s_p50_ms\":%.2f,\"%s_p99_ms\":%.2f", name, rate, name, p50, name, p99 }' "$folder/wrk"
}

conditions 'api'
for ((run = 0; run < runs; run++)); do
  profile=$(reads profile /api/customer)
  keys=$(reads keys /api/services/grpc/api-keys)
  sign_ins=$(node "$bench/api.mjs" sign-ins "$url" 2)
  echo "{$profile,$keys,${sign_ins#\{}" | tee -a "$folder/runs"
done
conditions 'at the end'
medians "$folder/runs" profile_per_s profile_p99_ms keys_per_s keys_p99_ms sign_ins_per_s
