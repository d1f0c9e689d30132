#!/usr/bin/env bash
# How fast a month is closed for many customers, a preview is made, and the books are verified:
# bench/billing.sh [CUSTOMERS] [ENTRIES]   (RUNS=3)
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly customers=${1:-100000} entries=${2:-1000000} runs=${RUNS:-3}

conditions "billing, $customers customers; books, $entries entries"
for ((run = 0; run < runs; run++)); do
  "$SUIFTLY_BIN" bench billing --customers "$customers" --folder "$folder" --json | tee -a "$folder/billing"
  "$SUIFTLY_BIN" bench ledger --entries "$entries" --folder "$folder" --json | tee -a "$folder/ledger"
done
conditions 'at the end'
medians "$folder/billing" close_s close_cpu_s close_busiest_s next_close_s next_close_busiest_s preview_p50_us preview_p99_us
medians "$folder/ledger" verify_s verify_busiest_s appends_per_second balance_p99_us page_p99_us
