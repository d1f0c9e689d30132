# What the benchmarks share; sourced by them.
# shellcheck shell=bash
set -euo pipefail

bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$bench")

# `make bench` names the binary it has built; without a name it is built here.
if [[ -z ${SUIFTLY_BIN:-} ]]; then
  make --no-print-directory -C "$root" build >&2
  target=${CARGO_TARGET_DIR:-target}
  [[ $target == /* ]] || target=$root/$target
  SUIFTLY_BIN=$target/release/suiftly
fi

# Set TMPDIR if /tmp has less than 1 GiB of room, or is in memory.
folder=$(mktemp -d "${TMPDIR:-/tmp}/suiftly-bench.XXXXXX")
server=
clean_up() {
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf -- "$folder"
}
trap clean_up EXIT

# medians FILE FIELD…: each field's median over the JSON lines of a file; a dot goes into an object.
medians() {
  node "$bench/medians.mjs" "$@"
}

# conditions WHEN: says how busy the machine is, which matters more than what it is. Its own load counts, too.
conditions() {
  printf '%s: %s CPUs, load average %s\n' "$1" "$(nproc)" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
}

# upstream_config PORT: of an HAProxy that answers everything at once.
upstream_config() {
  cat <<CFG
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend upstream
  bind 127.0.0.1:$1
  http-request return status 200 content-type text/plain string "ok"
CFG
}
