#!/usr/bin/env bash
# Prepares a clone for cargo: tools, system packages, the DuckDB library, crates, and the built dashboard.
#
#   packaging/setup.sh [all]        everything; quick when nothing is missing
#   packaging/setup.sh bundled      everything but the DuckDB library, for builds with --features bundled
#   packaging/setup.sh web          the dashboard only
#   packaging/setup.sh lint         what `make lint` needs besides
#   packaging/setup.sh fuzz         what `make fuzz` needs besides
#   packaging/setup.sh npm ARGS…    runs npm, in the version that the dashboard needs, in assets/web
#
# Downloads are kept in ${XDG_CACHE_HOME:-~/.cache}/suiftly and shared by all clones.
set -euo pipefail

readonly RUST_MIN=1.95.0 NODE_MIN=20.19.0 NPM_MIN=11.0.0
# Vite's own packages are chosen by npm 11's rules; an older npm gets this one beside it, in the cache.
readonly NPM_PINNED=11.19.1
readonly CARGO_DENY=0.20.2 CARGO_FUZZ=0.13.2
readonly DUCKDB_VERSION=1.5.5
readonly DUCKDB_PACKAGE=@duckdb/node-bindings-linux-x64@1.5.5-r.5
readonly DUCKDB_SHA256=fc23f12e376c47be520f75221288281906e7942e8fd6f6ce4849198ba60d0405

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:?is not set: it is where downloads are kept}/.cache}/suiftly
readonly root cache
readonly web=$root/assets/web
readonly duckdb_dir=$cache/duckdb-$DUCKDB_VERSION
npm=npm
scratch=
# A machine without network should say so in seconds, and a busy registry still gets its retries.
export npm_config_fetch_retry_mintimeout=${npm_config_fetch_retry_mintimeout:-2000}

main() {
  cd "$root"
  trap 'rm -rf -- "${scratch:-}"' EXIT
  case ${1:-all} in
    all) everything ;;
    bundled) everything_but_duckdb ;;
    web) dashboard_only ;;
    lint) lint_tools ;;
    fuzz) cargo_tool cargo-fuzz "$CARGO_FUZZ" ;;
    npm) run_npm "${@:2}" ;;
    *) die "there is no step '$1'; see the head of packaging/setup.sh" ;;
  esac
}

everything() {
  packages
  tools
  duckdb
  crates
  dashboard
  schemathesis
  say 'ready'
}

everything_but_duckdb() {
  packages
  tools
  crates
  dashboard
  schemathesis
  say 'ready (the build compiles DuckDB: 30 to 45 minutes on two cores)'
}

dashboard_only() {
  tools
  dashboard
}

run_npm() {
  choose_npm
  cd "$web"
  "$npm" "$@"
}

say() { printf 'setup: %s\n' "$*"; }

die() {
  printf 'setup: error: %s\n' "$@" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# at_least 11.19.1 11.0.0: the first version is the second or newer.
at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]; }

# A new folder beside the final place, so that a finished download moves there in one step.
make_scratch() {
  [[ -z $scratch ]] || return 0
  mkdir -p "$cache"
  scratch=$(mktemp -d "$cache/tmp.XXXXXX")
}

# ---- system packages

packages() {
  local missing=()
  { have cc && have c++ && have make; } || missing+=(build-essential)
  # /usr/sbin is in root's PATH only.
  { have haproxy || [[ -x /usr/sbin/haproxy ]]; } || missing+=(haproxy)
  have chromium || missing+=(chromium)
  have openssl || missing+=(openssl)
  { have ip || [[ -x /usr/sbin/ip ]]; } || missing+=(iproute2)
  python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
  if ((${#missing[@]})); then
    apt_install "${missing[@]}" || explain_missing "${missing[@]}"
  fi
}

apt_install() {
  have apt-get || return 1
  ((EUID == 0)) || return 1
  say "installing with apt-get: $* (a few minutes)"
  make_scratch
  local log=$scratch/apt.log
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    say "apt-get could not install: $*. Is the network reachable? Running the same command again goes on from here."
    return 1
  fi
}

explain_missing() {
  local package required=
  for package in "$@"; do
    case $package in
      build-essential) required=yes && say 'missing: a C and C++ compiler and make (required: SQLite is compiled)' ;;
      haproxy) say 'missing: HAProxy (optional: without it the demo feeds itself synthetic log lines)' ;;
      openssl) say 'missing: openssl (optional: only the test of log formats over TLS needs it, and fails without)' ;;
      iproute2) say 'missing: iproute2 (optional: only the test of gateways in networks of their own needs it)' ;;
      chromium) say 'missing: Chromium (optional: only the browser tests need it, and fail without it)' ;;
      python3-venv) say 'missing: Python with venv (optional: only the test of the API by schemathesis needs it, and fails without)' ;;
      shellcheck) say 'missing: shellcheck (optional: without it the shell scripts are not checked)' ;;
    esac
  done
  if have apt-get; then
    say "to install what is missing, run: sudo apt-get update && sudo apt-get install --no-install-recommends $*"
  else
    say "install what is missing with this system's package manager; Debian's names are: $*"
  fi
  [[ -z $required ]] || die 'a required package is missing, see above'
}

# ---- tools

tools() {
  check_rust
  check_node
  choose_npm
  say "Rust $(rustc_version), Node $(node_version), npm $("$npm" --version)"
}

rustc_version() { rustc --version | cut -d ' ' -f 2; }
node_version() { node --version | tr -d v; }

check_rust() {
  { have cargo && have rustc; } || die "Rust is missing: install $RUST_MIN or newer with rustup and open a new shell"
  at_least "$(rustc_version)" "$RUST_MIN" ||
    die "Rust $(rustc_version) is too old: $RUST_MIN or newer is needed (rustup update stable)"
}

check_node() {
  { have node && have npm; } || die "Node.js and npm are missing: install Node.js $NODE_MIN or newer, which brings npm"
  at_least "$(node_version)" "$NODE_MIN" ||
    die "Node.js $(node_version) is too old: $NODE_MIN or newer is needed to build the dashboard"
}

choose_npm() {
  at_least "$(npm --version)" "$NPM_MIN" && return
  local folder=$cache/npm-$NPM_PINNED
  npm=$folder/node_modules/.bin/npm
  [[ -x $npm ]] && return
  say "npm $(npm --version) is too old, fetching npm $NPM_PINNED into $folder"
  make_scratch
  npm install --prefix "$scratch/npm" --no-audit --no-fund --loglevel=error "npm@$NPM_PINNED" >/dev/null ||
    die "npm $NPM_PINNED could not be fetched from the npm registry." \
      'Check the network (or npm'\''s proxy settings) and run the same command again.'
  rm -rf -- "$folder"
  mv -- "$scratch/npm" "$folder"
}

lint_tools() {
  have shellcheck || apt_install shellcheck || explain_missing shellcheck
  cargo_tool cargo-deny "$CARGO_DENY"
}

# cargo_tool NAME VERSION: compiles a cargo subcommand into the cache.
cargo_tool() {
  local name=$1 version=$2 found
  found=$("$cache/tools/bin/$name" --version 2>/dev/null || true)
  [[ $found == "$name $version" ]] && return
  say "compiling $name $version (once, a few minutes)"
  # A target folder of the caller's would fill with the tool's crates.
  env -u CARGO_TARGET_DIR cargo install --quiet --locked --version "=$version" --root "$cache/tools" "$name" ||
    die "$name $version could not be installed from the crates registry." \
      'Check the network and run the same command again.'
}

# ---- DuckDB

duckdb() {
  check_platform
  local library=$duckdb_dir/libduckdb.so
  if ! duckdb_is_verified "$library"; then
    fetch_duckdb "$library"
    stamp_duckdb "$library"
  fi
  say "DuckDB $DUCKDB_VERSION library verified"
  configure_cargo
}

check_platform() {
  [[ $(uname -sm) == 'Linux x86_64' ]] && getconf GNU_LIBC_VERSION >/dev/null 2>&1 && return
  die "the prebuilt DuckDB library is for Linux on x86_64 with glibc, and this is $(uname -sm)." \
    'Compile DuckDB instead: make build FEATURES=bundled (30 to 45 minutes on two cores)'
}

# Hashing 70 MB at each call would be felt, so a library that was verified is recognised by its size and times.
duckdb_is_verified() {
  [[ -f $1 ]] || return 1
  [[ -f $1.verified && $(<"$1.verified") == "$(duckdb_identity "$1")" ]] && return
  checksum_is_right "$1" || {
    say "$1 is not the expected file and is replaced"
    return 1
  }
  stamp_duckdb "$1"
}

duckdb_identity() { printf '%s %s' "$DUCKDB_SHA256" "$(stat -c '%s %Y %Z' -- "$1")"; }
stamp_duckdb() { duckdb_identity "$1" >"$1.verified"; }
checksum_is_right() { [[ $(sha256sum <"$1") == "$DUCKDB_SHA256 "* ]]; }

fetch_duckdb() {
  say "fetching the prebuilt DuckDB $DUCKDB_VERSION library (24 MB)"
  make_scratch
  # npm pack only downloads: no script of the package runs.
  if ! (cd "$scratch" && "$npm" pack --loglevel=error "$DUCKDB_PACKAGE") >"$scratch/pack.log" 2>&1; then
    head -n 5 "$scratch/pack.log" >&2
    die "the DuckDB library ($DUCKDB_PACKAGE) could not be fetched from the npm registry." \
      "Check the network (or npm's proxy settings) and run the same command again." \
      'Where that registry is out of reach, cargo build --features bundled compiles DuckDB instead.'
  fi
  tar -xzf "$scratch"/*.tgz -C "$scratch" package/libduckdb.so || die "the package $DUCKDB_PACKAGE is damaged"
  checksum_is_right "$scratch/package/libduckdb.so" ||
    die 'the DuckDB library that arrived has another SHA-256 than the one expected, and was thrown away:' \
      "expected $DUCKDB_SHA256, got $(sha256sum <"$scratch/package/libduckdb.so" | cut -d ' ' -f 1)." \
      'Run the same command again; if it happens twice, do not use the file, and report it.'
  mkdir -p "$duckdb_dir"
  mv -- "$scratch/package/libduckdb.so" "$1"
}

# `cargo build` alone must find the library too, and a rewritten file must not start a new compilation. SQLite is told
# to keep no statistics of its memory and no page cache for all connections: a lock around each allocation and each
# page, which costs whoever writes a tenth, and more while others read.
configure_cargo() {
  local file=$root/.cargo/config.toml mark='# Written by packaging/setup.sh.' setting
  local settings=("DUCKDB_LIB_DIR = \"$duckdb_dir\""
    'LIBSQLITE3_FLAGS = "-DSQLITE_DEFAULT_MEMSTATUS=0 -USQLITE_ENABLE_MEMORY_MANAGEMENT"')
  if [[ -f $file ]]; then
    local missing=()
    for setting in "${settings[@]}"; do
      grep -qxF "$setting" "$file" || missing+=("$setting")
    done
    [[ ${#missing[@]} -eq 0 ]] && return
    grep -qxF "$mark" "$file" || die "$file is yours and is left alone; add to its [env]:" "${missing[@]}"
  fi
  mkdir -p "$root/.cargo"
  printf '%s\n' "$mark" '[env]' "${settings[@]}" >"$file.new"
  mv -- "$file.new" "$file"
  say 'told cargo where the DuckDB library is, and how SQLite is compiled (.cargo/config.toml)'
}

# ---- crates and dashboard

crates() {
  cargo fetch --quiet --locked && return
  die 'the crates of Cargo.lock could not be fetched from the crates registry.' \
    "Check the network (or cargo's proxy settings) and run the same command again." \
    'If the message above speaks of the lock file instead, Cargo.toml was changed without it: run cargo update -w.'
}

dashboard() {
  [[ -f $web/package-lock.json ]] || die 'assets/web/package-lock.json is missing: the clone is not complete'
  install_npm_packages
  build_page
}

install_npm_packages() {
  local stamp=$web/node_modules/.suiftly-installed wanted
  wanted=$(cat "$web/package-lock.json" "$web/package.json" | sha256sum)
  [[ -f $stamp && $(<"$stamp") == "$wanted" ]] && return
  say 'installing the npm packages of assets/web/package-lock.json'
  make_scratch
  local log=$scratch/npm.log
  if ! (cd "$web" && "$npm" ci --no-audit --no-fund --loglevel=error </dev/null) >"$log" 2>&1; then
    # The rest is npm's usage.
    head -n 8 "$log" >&2
    ! grep -q EUSAGE "$log" || die 'package.json and package-lock.json of assets/web disagree: run npm install there.'
    die 'the npm packages of the dashboard could not be installed from the npm registry.' \
      "Check the network (or npm's proxy settings) and run the same command again."
  fi
  printf '%s\n' "$wanted" >"$stamp"
}

# The stamp is not kept in assets/dist, because whatever lies there is embedded in the binary.
build_page() {
  local stamp=$web/node_modules/.suiftly-built wanted
  wanted=$(page_sources | sha256sum)
  [[ -f $root/assets/dist/index.html && -f $stamp && $(<"$stamp") == "$wanted" ]] && return
  say 'building the dashboard into assets/dist'
  make_scratch
  local log=$scratch/page.log
  if ! (cd "$web" && "$npm" run --silent build </dev/null) >"$log" 2>&1; then
    cat "$log" >&2
    die 'the dashboard did not build, see above'
  fi
  printf '%s\n' "$wanted" >"$stamp"
}

# The tests look for it here.
schemathesis() {
  local folder=$cache/schemathesis wanted=$root/packaging/schemathesis.txt
  cmp -s "$wanted" "$folder/installed.txt" && "$folder/bin/python" -c '' 2>/dev/null && return
  python3 -c 'import venv, ensurepip' 2>/dev/null || return 0
  say 'installing schemathesis, which tests the API'
  make_scratch
  local log=$scratch/pip.log
  rm -rf -- "$folder"
  # An environment knows its own path, so it is made in its final place and is complete once the list lies in it.
  if ! { python3 -m venv "$folder" && "$folder/bin/pip" install --no-input --disable-pip-version-check -r "$wanted"; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    die 'schemathesis could not be installed from the Python package index.' \
      'Check the network (or pip'\''s proxy settings) and run the same command again.'
  fi
  cp -- "$wanted" "$folder/installed.txt"
}

page_sources() {
  (cd "$web" && find . -name node_modules -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

main "$@"
