#!/usr/bin/env bash
# suiftly's intake beside what else turns a log into numbers:  bench/compare/run.sh [LINES]
#
#   RUNS=3              runs of each tool, one after the other in rounds; medians count
#   TOOLS="duckdb …"    only these beside suiftly: duckdb duckdb-csv clickhouse clickhouse-split goaccess postgresql
#   JSON=FILE           where the results go as JSON; without it they follow the table, on one line
#   TMPDIR=DIR          where the data goes: 1.5 KiB a line
#
# Prints one table and says which of the design's ratios were reached. Fails if a tool's counts are wrong. What is
# missing is installed: programs by apt-get for root, Python packages into the cache folder. Anything that cannot be had
# is reported as not run.
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

# The ratios are for two cores, so no tool gets more.
readonly cpus=2
readonly lines=${1:-3000000} runs=${RUNS:-3}
readonly here=$bench/compare
readonly python=${XDG_CACHE_HOME:-$HOME/.cache}/suiftly/compare/bin/python
on_cpus=
read -ra wanted <<<"${TOOLS:-duckdb duckdb-csv clickhouse clickhouse-split goaccess postgresql}"
export SUIFTLY_BIN

main() {
  check_arguments
  python_environment
  mkdir "$folder/results"
  local tool tools=(suiftly)
  for tool in "${wanted[@]}"; do
    if prepare "$tool"; then tools+=("$tool"); fi
  done
  say "writing $lines lines, and the same for GoAccess and PostgreSQL (not timed)"
  "$SUIFTLY_BIN" bench generate --lines "$lines" "$folder/requests.log"
  "$python" "$here/prepare.py" "$folder/requests.log" "$folder"
  # The server that is started for PostgreSQL reads as a user of its own.
  chmod 755 "$folder"
  chmod 644 "$folder"/*
  conditions "comparison, $lines lines" >&2
  local round
  on_cpus=$("$python" -c "import os; print(*sorted(os.sched_getaffinity(0))[:$cpus], sep=',')")
  for ((round = 1; round <= runs; round++)); do
    for tool in "${tools[@]}"; do
      run "$tool" "$round"
    done
  done
  conditions 'at the end' >&2
  "$python" "$here/report.py" "$folder" "$lines" "${JSON:-}"
}

say() { printf 'compare: %s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

check_arguments() {
  [[ $lines =~ ^[1-9][0-9]*$ ]] || die "LINES is a whole number from 1, not '$lines'"
  [[ $runs =~ ^[1-9][0-9]*$ ]] || die "RUNS is a whole number from 1, not '$runs'"
  local tool
  for tool in "${wanted[@]}"; do
    [[ $tool =~ ^(duckdb|duckdb-csv|clickhouse|clickhouse-split|goaccess|postgresql)$ ]] || die "there is no tool '$tool'"
  done
}

# ---- what is needed

# The DuckDB package is what reads every store's counts, suiftly's too, so nothing goes without it.
python_environment() {
  have python3 || apt_install python3 || die 'python3 is missing'
  if ! "$python" -c '' 2>/dev/null; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || apt_install python3-venv ||
      die 'Python lacks venv: sudo apt-get install python3-venv'
    python3 -m venv "${python%/bin/python}"
  fi
  pip_install duckdb || die 'the package duckdb could not be installed from the Python package index'
}

# pip_install NAME…: in the versions that requirements.txt names.
pip_install() {
  local name pinned=()
  for name in "$@"; do
    pinned+=("$(grep "^$name==" "$here/requirements.txt")")
  done
  "$python" -m pip install --quiet --no-input --disable-pip-version-check --no-deps "${pinned[@]}" \
    >"$folder/pip.log" 2>&1 </dev/null || {
    tail -n 3 "$folder/pip.log" >&2
    return 1
  }
}

apt_install() {
  have apt-get && ((EUID == 0)) || return 1
  say "installing with apt-get: $*"
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } \
    >"$folder/apt.log" 2>&1 </dev/null || {
    tail -n 3 "$folder/apt.log" >&2
    return 1
  }
}

# Makes a tool ready, or notes why it is not run.
prepare() {
  case $1 in
    duckdb*) ;;
    clickhouse*) pip_install chdb chdb-core || not_run "$1" 'the package chdb could not be installed from the Python package index' ;;
    goaccess) have goaccess || apt_install goaccess || not_run "$1" 'missing: sudo apt-get install goaccess' ;;
    postgresql) postgres_programs || { install_postgres && postgres_programs; } ||
      not_run "$1" 'missing: sudo apt-get install postgresql' ;;
  esac
}

not_run() {
  say "$1 is not run: $2"
  printf '%s' "$2" >"$folder/results/$1.not-run"
  return 1
}

# Names the newest installed version's folder.
postgres_programs() {
  local found
  found=$(find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -name initdb 2>/dev/null | sort -V | tail -n 1)
  [[ -n $found ]] && export POSTGRES_BIN=${found%/initdb}
}

# Debian's package would make a cluster of its own and start it.
install_postgres() {
  local setting=/etc/postgresql-common/createcluster.d/suiftly-bench.conf
  ((EUID == 0)) || return 1
  mkdir -p "${setting%/*}"
  echo 'create_main_cluster = false' >"$setting"
  local status=0
  apt_install postgresql || status=1
  rm -f -- "$setting"
  return "$status"
}

# ---- one run

run() {
  local tool=$1 round=$2 work=$folder/work script option=()
  case $tool in
    duckdb) script=duckdb_sql ;;
    duckdb-csv) script=duckdb_sql option=(--csv) ;;
    clickhouse-split) script=clickhouse option=(--split) ;;
    *) script=$tool ;;
  esac
  mkdir "$work"
  # What others have written is not to be waited for, and the input comes from memory.
  sync
  cat -- "$folder/requests.log" "$folder/combined.log" "$folder/rows.csv" >/dev/null
  if taskset -c "$on_cpus" "$python" "$here/$script.py" load "$folder/requests.log" "$work" "${option[@]}" >"$folder/load" &&
    "$python" "$here/$script.py" counts "$folder/requests.log" "$work" "${option[@]}" >"$folder/counts"; then
    "$python" "$here/report.py" --check "$folder" "$tool" >>"$folder/results/$tool.jsonl"
    say "$tool, run $round of $runs: $(tail -n 1 "$folder/results/$tool.jsonl")"
  else
    die "$tool failed, see above"
  fi
  rm -rf -- "$work"
}

main
