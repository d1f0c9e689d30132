#!/usr/bin/env bash
# How fast a log file becomes durable rows:  bench/intake.sh [LINES]   (RUNS=5)
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly lines=${1:-3000000} runs=${RUNS:-5}

"$SUIFTLY_BIN" bench generate --lines "$lines" "$folder/requests.log"
conditions "intake, $lines lines"
for ((run = 0; run < runs; run++)); do
  "$SUIFTLY_BIN" bench intake "$folder/requests.log" --folder "$folder" --json | tee -a "$folder/runs"
done
conditions 'at the end'
medians "$folder/runs" lines_per_s bytes_per_row sealed_bytes_per_row seal_s peak_rss
