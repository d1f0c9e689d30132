# Everything goes through `packaging/setup.sh`, which is quick when nothing is missing.
#
# The binary is at target/release/suiftly, or in $CARGO_TARGET_DIR/release if that is set.
# FEATURES=bundled compiles DuckDB into a static binary (30 to 45 minutes on two cores).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

FEATURES ?=
FUZZ_SECONDS ?= 60

target := $(abspath $(or $(CARGO_TARGET_DIR),target))
binary := $(target)/release/suiftly
features := $(if $(FEATURES),--features $(FEATURES))
scripts := packaging/setup.sh .ci/run $(wildcard bench/*.sh bench/compare/*.sh)
browser_tests := $(wildcard tests/browser/*.test.mjs)
cargo_deny := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/suiftly/tools/bin/cargo-deny
cargo_fuzz := $(dir $(cargo_deny))cargo-fuzz

.PHONY: help setup web build demo test test-rust test-web test-browser pictures lint deny soak fuzz bench clean

help: ## Lists what can be made
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-13s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Installs what is missing on this machine and says so
	@packaging/setup.sh $(if $(findstring bundled,$(FEATURES)),bundled,all)

web: ## Builds the dashboard into assets/dist
	@packaging/setup.sh web

build: setup ## Builds the optimised binary, target/release/suiftly
	cargo build --release --locked $(features)

demo: build ## Runs the demo: ARGS="--help" tells its options
	$(binary) demo $(ARGS)

test: build test-rust test-web test-browser ## Builds and runs all tests

test-rust: setup
	cargo test --release --locked $(features)

test-web: setup
	packaging/setup.sh npm test

test-browser: build
	@command -v chromium >/dev/null || { \
	  echo 'make: error: the browser tests did NOT run: Chromium is missing (sudo apt-get install chromium)' >&2; exit 1; }
	$(if $(browser_tests),SUIFTLY_BIN=$(binary) node --test --test-timeout=600000 $(browser_tests),@echo 'make: tests/browser holds no tests')

pictures: build ## Takes pictures of the dashboard's pages and states: NAME=dark-375
	SUIFTLY_BIN=$(binary) node tests/browser/gallery.mjs $(NAME)

lint: setup deny ## Checks formatting, clippy, the dashboard, shell scripts and dependencies
	cargo fmt --check
	cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
	cargo clippy --release --locked --all-targets $(features) -- -D warnings
	packaging/setup.sh npm run lint
	@if command -v shellcheck >/dev/null; then echo shellcheck $(scripts); shellcheck -x $(scripts); \
	else echo 'make: shell scripts were not checked: shellcheck is missing'; fi

deny: ## Checks licences, sources, bans and, if its database is reachable, advisories
	@packaging/setup.sh lint
	$(cargo_deny) --log-level error --locked check bans licenses sources
	@if timeout 120 $(cargo_deny) --log-level off --locked fetch db >/dev/null 2>&1; then \
	  $(cargo_deny) --log-level error --locked check --disable-fetch advisories; \
	else echo 'make: advisories were not checked: their database is out of reach'; fi

# Billing is lived without a ledger a million times, which proves the decisions, and with one 5000 times.
soak: setup ## Kills the process 500 times, lives 5000 histories of rotation and 1,000,000 of billing: SUIFTLY_KILLS=500
	SUIFTLY_KILLS=$(or $(SUIFTLY_KILLS),500) SUIFTLY_HISTORIES=$(or $(SUIFTLY_HISTORIES),5000) \
	  cargo test --release --locked $(features) --lib --test it -- exactly_once rotation_model intake::spool --nocapture
	SUIFTLY_HISTORIES=$(or $(SUIFTLY_HISTORIES),1000000) SUIFTLY_LEDGER_HISTORIES=$(or $(SUIFTLY_LEDGER_HISTORIES),5000) \
	  cargo test --release --locked $(features) --lib -- billing::tests --nocapture

# Without a sanitizer: it would find errors of memory, and this crate forbids unsafe code, while it would have every
# dependency run at half the speed and ask for an unstable compiler. Overflow and debug assertions are checked.
fuzz: setup ## Fuzzes each target for FUZZ_SECONDS=60: TARGET=name for one
	@packaging/setup.sh fuzz
	for target in $(or $(TARGET),$$($(cargo_fuzz) list --fuzz-dir tests/fuzz)); do \
	  mkdir -p tests/fuzz/corpus/$$target; \
	  $(cargo_fuzz) run --fuzz-dir tests/fuzz --sanitizer none --codegen-units 16 $$target \
	    tests/fuzz/corpus/$$target tests/fuzz/seeds/$$target -- -max_total_time=$(FUZZ_SECONDS); \
	done

bench: build ## Runs the benchmarks, a few minutes: RUNS=1 for one run of each
	for benchmark in parse intake import demo idle api accounts query billing vault propagation revocation haproxy dashboard; do SUIFTLY_BIN=$(binary) bench/$$benchmark.sh; done

clean: ## Removes what was built; downloads in the cache folder stay
	cargo clean
	rm -rf assets/dist assets/web/node_modules tests/artefacts
