#!/usr/bin/env bash
# From a revoked key to HAProxy's refusal, with 100,000 customers, 200,000 keys and 1,000 requests a second; and how long
# 10,000 customers that are changed at once take:  bench/propagation.sh [CUSTOMERS]   (RUNS=3, REVOCATIONS=100)
# Needs HAProxy. What the API and the task of vaults take before the vault changes is measured by bench/vault.sh.
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly customers=${1:-100000} runs=${RUNS:-3} revocations=${REVOCATIONS:-100}

conditions "propagation, $customers customers"
for ((run = 0; run < runs; run++)); do
  "$SUIFTLY_BIN" bench propagation --customers "$customers" --revocations "$revocations" --folder "$folder" --json \
    2>"$folder/log" >"$folder/run" || { cat "$folder/log" >&2; exit 1; }
  tee -a "$folder/runs" <"$folder/run"
done
conditions 'at the end'
echo 'medians:'
medians "$folder/runs" first_apply_ms file_p50_ms file_p99_ms revoke_p50_ms revoke_p99_ms changed_apply_ms changed_ms \
  requests failed
