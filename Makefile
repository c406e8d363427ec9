.DEFAULT_GOAL := help
SHELL := /bin/bash
# Of `make soak`.
MINUTES ?= 10
# Of `make fuzz`: how many inputs, and which.
N ?= 20000
SEED ?= 1

MUSL = $(shell uname -m)-unknown-linux-musl

.PHONY: help run build test ocsf engines podman browser picture promtool launches soak lint fmt bench fuzz deny deb static sbom takeover setup clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: build ## Put a gate in front of an engine and say what to try; installs and starts an engine if none runs
	examples/gate.sh

build: setup ## Build the release binary
	@command -v cargo >/dev/null || { echo 'cargo is missing: install Rust with rustup, see https://rustup.rs' >&2; exit 1; }
	cargo build --release --locked

test: setup ## Run every test beside a fresh Docker Engine of its own
	tests/engine.sh with cargo test --locked

# Each version that `journal export --ocsf-version` takes and the validator has.
OCSF = 1.5.0 1.6.0 1.7.0 1.8.0

ocsf: ## Hold exported records against the published OCSF schemas (needs python3-venv and PyPI)
	cargo build --locked
	test -x target/ocsf/bin/pip || python3 -m venv target/ocsf
	target/ocsf/bin/pip install -q ocsf-json-schema==1.2.0 jsonschema==4.* py-ocsf-models==0.10.0
	set -o pipefail; for version in $(OCSF); do target/debug/tidewaiter journal export tests/data/records.jsonl \
		--format ocsf --ocsf-version $$version | target/ocsf/bin/python tests/ocsf.py || exit; done

# Where the rows of each engine are kept, to be compared.
TABLES = $(CURDIR)/target/engines
JUDGED = cases:: facts:: own:: service:: approve:: rules::

engines: setup ## Run what judges requests against Docker Engine 26.1 and 28.5 too (fetched from Debian, not installed)
	mkdir -p $(TABLES)
	for suite in trixie sid; do TIDEWAITER_TEST_TABLES=$(TABLES) tests/engines.sh with $$suite \
		cargo test --locked --test it -- --show-output $(JUDGED) || exit; done
	tests/engines.sh compare $(TABLES)

podman: setup ## Run what judges requests against Podman's Docker-compatible socket (installed if missing; root)
	mkdir -p $(TABLES)
	TIDEWAITER_TEST_TABLES=$(TABLES) tests/podman.sh with \
		cargo test --locked --test it -- --show-output --ignored --test-threads=1 on_podman
	tests/engines.sh compare $(TABLES)

# The browser tests' own checker of accessibility; it runs in the page and has no part in the program.
AXE = target/browser/node_modules/axe-core/axe.min.js

$(AXE):
	@command -v npm >/dev/null || tests/engine.sh install npm
	mkdir -p target/browser
	npm install --prefix target/browser --no-save --no-audit --no-fund --ignore-scripts axe-core@4.14.1

browser: setup $(AXE) ## Look at the console in a headless Chromium (installed if missing; needs npm's registry once)
	@command -v chromium >/dev/null || tests/engine.sh install chromium
	TIDEWAITER_AXE=$(CURDIR)/$(AXE) tests/engine.sh with \
		cargo test --locked --test it -- --include-ignored --test-threads=1 --skip picture browser:: console::

picture: setup ## Make the picture of a launch in the README anew
	@command -v chromium >/dev/null || tests/engine.sh install chromium
	TIDEWAITER_PICTURE=$(CURDIR)/examples/console.png tests/engine.sh with \
		cargo test --locked --test it -- --ignored picture_of_a_launch

promtool: setup ## Have Prometheus' own tool check metrics, alerts and dashboard (installed if missing)
	@command -v promtool >/dev/null || tests/engine.sh install prometheus
	tests/engine.sh with cargo test --locked --test it -- --include-ignored metrics::

launches: setup ## Watch 500 short launches by three callers at once, count what is missed, and time the findings (root)
	tests/engine.sh with cargo test --locked --test it -- --ignored --nocapture launches::five_hundred

soak: setup ## Have clients do everything, well and badly, for minutes, and hold what the gate then holds: make soak [MINUTES=10]
	TIDEWAITER_SOAK_MINUTES=$(MINUTES) tests/engine.sh with cargo test --locked --test it -- --ignored --nocapture soak::

lint: setup ## Check format, clippy and the shell scripts; warnings are errors
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo clippy --manifest-path fuzz/Cargo.toml --target-dir target -- -D warnings
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run examples/*.sh tests/*.sh; \
	else echo 'shellcheck is not installed: the scripts were not checked' >&2; fi

fmt: ## Format the Rust code
	cargo fmt

bench: ## Run the benchmarks
	cargo bench --locked

fuzz: ## Hold the decoder against Go's encoding/json: make fuzz [N=1000000] [SEED=1] (needs Go)
	@command -v go >/dev/null || { echo 'Go is missing: apt-get install golang-go' >&2; exit 1; }
	cd fuzz/go && go build -o ../target/engine .
	cd fuzz && cargo build --quiet
	fuzz/target/debug/tidewaiter-fuzz fuzz/target/engine $(N) $(SEED)

deny: ## Check licences, sources, duplicates and advisories of the dependencies (needs cargo-deny)
	cargo deny --locked check

deb: build ## Make a Debian package in target/debian (needs cargo-deb: cargo install cargo-deb --locked)
	target/release/tidewaiter generate target/package
	cargo deb --locked --no-build

static: setup ## Build a binary that needs no library of the host (needs musl-tools and the Rust target for musl)
	@command -v musl-gcc >/dev/null || { echo 'musl-gcc is missing: apt-get install musl-tools' >&2; exit 1; }
	CC_$(subst -,_,$(MUSL))=musl-gcc cargo build --release --locked --target $(MUSL)

sbom: ## Write what the program is made of as CycloneDX to target/tidewaiter.cdx.json (needs cargo-cyclonedx)
	cargo cyclonedx --format json --spec-version 1.5 --override-filename tidewaiter.cdx
	mv tidewaiter.cdx.json target/

takeover: deb ## Boot Debian 12 and 13 under systemd and put the gate in Docker's place there (root; fetches both)
	for suite in bookworm trixie; do tests/takeover.sh "$$(ls -t target/debian/*.deb | head -1)" $$suite || exit; done

setup: ## Install what building and testing need and this machine lacks (apt)
	@tests/engine.sh setup

clean: ## Remove what was built
	cargo clean
