#!/usr/bin/env bash
# The dashboard in Chromium, with requests through a real HAProxy:  bench/dashboard.sh   (RUNS=3; needs chromium and haproxy)
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly runs=${RUNS:-3}
for tool in chromium haproxy; do
  command -v "$tool" >/dev/null || [[ -x /usr/sbin/$tool ]] || { echo "dashboard: error: $tool is missing (sudo apt-get install $tool)" >&2; exit 1; }
done
export SUIFTLY_BIN TMPDIR=$folder

conditions 'dashboard'
for ((run = 0; run < runs; run++)); do
  node "$bench/dashboard.mjs" | tee -a "$folder/runs"
done
conditions 'at the end'
medians "$folder/runs" script_bytes paint_ms.p50 paint_ms.worst interaction_ms.p50 interaction_ms.p95 \
  request_to_page_ms.p50 request_to_page_ms.p95 keys_scroll.worst_ms keys_scroll.over_50_ms invoices_scroll.worst_ms invoices_scroll.over_50_ms
