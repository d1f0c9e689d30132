#!/usr/bin/env bash
# How fast log lines are parsed, and nothing else, on one core:  bench/parse.sh [LINES]   (RUNS=11)
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly lines=${1:-200000} runs=${RUNS:-11}

conditions "parse, $lines lines of each format"
"$SUIFTLY_BIN" bench parse --lines "$lines" --runs "$runs"
conditions 'at the end'
