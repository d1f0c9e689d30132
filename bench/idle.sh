#!/usr/bin/env bash
# Memory of a server with nothing to do, in MiB:  bench/idle.sh [SECONDS]   (RUNS=5)
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly seconds=${1:-10} runs=${RUNS:-5}

# idle RUN: one line of JSON.
idle() {
  local data=$folder/$1
  mkdir "$data"
  : >"$data/haproxy.log"
  "$SUIFTLY_BIN" init --dir "$data/suiftly" --json >/dev/null
  SUIFTLY_HTTP_LISTEN=127.0.0.1:0 SUIFTLY_INTAKE_LOG_FILE=$data/haproxy.log \
    "$SUIFTLY_BIN" serve --config "$data/suiftly/suiftly.toml" 2>"$data/log" &
  server=$!
  sleep "$seconds"
  if ! grep -q '"ready"' "$data/log" || ! memory "$server"; then
    echo 'idle: error: the server is not ready, or has ended:' >&2
    cat "$data/log" >&2
    exit 1
  fi
  kill "$server"
  wait "$server"
  server=
}

# Resident, of it private, and of it pages of files, which the system can take back.
memory() {
  awk '
    /^(VmRSS|RssAnon|RssFile):/ { sub(":", "", $1); line = line sprintf("%s\"%s\":%.1f", line ? "," : "", $1, $2 / 1024) }
    END { if (!line) exit 1; print "{" line "}" }' "/proc/$1/status"
}

conditions "idle, after $seconds s"
for ((run = 0; run < runs; run++)); do
  idle "$run" >"$folder/run"
  tee -a "$folder/runs" <"$folder/run"
done
conditions 'at the end'
medians "$folder/runs" VmRSS RssAnon RssFile
