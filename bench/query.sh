#!/usr/bin/env bash
# How fast one customer's charts and requests are found among many:  bench/query.sh [REQUESTS]   (RUNS=3)
# Each million takes about 15 s to make up and store.
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly requests=${1:-5000000} runs=${RUNS:-3}

conditions "queries, $requests requests"
for ((run = 0; run < runs; run++)); do
  "$SUIFTLY_BIN" bench query --requests "$requests" --folder "$folder" --json | tee -a "$folder/runs"
done
conditions 'at the end'
medians "$folder/runs" chart_30d.p50_ms chart_30d.p95_ms newest_100.p50_ms newest_100.p95_ms summary_30d.p95_ms \
  percentiles_30d.p95_ms top_paths_24h.p95_ms
