#!/usr/bin/env bash
# How fast a packed log is imported, and in how much memory:  bench/import.sh [LINES]   (10000000 lines are 2 GB)
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly lines=${1:-10000000} most_mib=512

"$SUIFTLY_BIN" init --dir "$folder/home" >/dev/null
"$SUIFTLY_BIN" bench generate --lines "$lines" "$folder/requests.log"
gzip -1 "$folder/requests.log"
conditions "import, $lines lines"
begun=$(date +%s%N)
"$SUIFTLY_BIN" import --config "$folder/home/suiftly.toml" "$folder/requests.log.gz" >"$folder/said" &
server=$!
peak_kib=0
while kill -0 "$server" 2>/dev/null; do
  now_kib=$(awk '/^VmHWM/ { print $2 }' "/proc/$server/status" 2>/dev/null || true)
  peak_kib=${now_kib:-$peak_kib}
  sleep 0.2
done
wait "$server"
server=
seconds=$(awk -v from="$begun" -v to="$(date +%s%N)" 'BEGIN { printf "%.1f", (to - from) / 1e9 }')
conditions 'at the end'
cat "$folder/said"
printf '%s lines in %s s, %s MiB of memory at the most\n' "$lines" "$seconds" $((peak_kib / 1024))
if ((peak_kib / 1024 > most_mib)); then
  echo "bench/import.sh: error: more than $most_mib MiB" >&2
  exit 1
fi
