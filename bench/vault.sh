#!/usr/bin/env bash
# How fast changes get into vaults among many customers:  bench/vault.sh [CUSTOMERS]   (RUNS=5 CHANGES=100)
# Each customer has two keys. The vaults are written to and synced on the disk of TMPDIR.
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly customers=${1:-100000} runs=${RUNS:-5} changes=${CHANGES:-100}

conditions "vaults, $customers customers"
for ((run = 0; run < runs; run++)); do
  "$SUIFTLY_BIN" bench vault --customers "$customers" --changes "$changes" --folder "$folder" --json | tee -a "$folder/runs"
done
conditions 'at the end'
medians "$folder/runs" full_build_ms check_ms commit_to_file_p50_ms commit_to_file_p99_ms file_bytes
