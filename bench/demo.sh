#!/usr/bin/env bash
# How soon a request is on the page:  bench/demo.sh [SECONDS]   (RUNS=3)
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly seconds=${1:-20} runs=${RUNS:-3}

conditions "demo, $seconds s"
for ((run = 0; run < runs; run++)); do
  "$SUIFTLY_BIN" demo --for "${seconds}s" --json --listen 127.0.0.1:0 | tee -a "$folder/runs"
done
conditions 'at the end'
medians "$folder/runs" first_visible_s line_to_visible_s.p50 line_to_visible_s.p99
