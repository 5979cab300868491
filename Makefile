# What there is to do here; `make help` lists it.
SHELL := bash
.DEFAULT_GOAL := help

.PHONY: help quickstart test test-rust test-python test-node test-kotlin clients drift lint sbom fuzz bench bench-fleet clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

quickstart: ## connect, send and sync against the simulator; needs Rust only
	@tests/tools/need.sh cargo cc
	@cargo run -p tidings-examples --bin quickstart

test: ## everything, in four languages; results in target/results.json
	@tests/tools/test.sh rust python node kotlin

test-rust: ## the Rust tests, the real mail and the scenarios in Rust
	@tests/tools/test.sh rust

test-python: ## the Python tests and the scenarios in Python
	@tests/tools/test.sh python

test-node: ## the Node tests and the scenarios in Node
	@tests/tools/test.sh node

test-kotlin: ## the Kotlin tests and the scenarios in Kotlin
	@tests/tools/test.sh kotlin

clients: ## drive Microsoft's own clients against the simulator; installs them for itself
	@tests/tools/need.sh cargo cc python3 node npm
	@tests/clients/run.sh

drift: ## draw the import arrows, compare the four faces and what is published, show long files
	@tests/tools/need.sh cargo cc node
	@cargo test --workspace --features tidings-uniffi/bindgen --test layers --test surface --test tidy --test published -- --nocapture

lint: ## clippy over everything, the licences, sources and known holes of dependencies, the workflows; installs its tools for itself
	@tests/tools/need.sh cargo cc python3
	@cargo clippy --workspace --all-targets
	@tests/tools/lint.sh

sbom: ## what is linked into each package, as CycloneDX JSON in target/sbom, held to its schema
	@tests/tools/need.sh cargo node python3
	@rm -rf target/sbom
	@node tests/tools/sbom.mjs target/sbom
	@tests/tools/linters.sh
	@target/tools/linters/bin/python tests/tools/sbom_valid.py target/sbom/*.json

fuzz: ## look for inputs that break what has to hold, a minute for each kind; installs cargo-fuzz for itself
	@tests/tools/need.sh cargo cc c++
	@tests/tools/fuzz.sh

bench: ## ratios against plain baselines, in one run
	@tests/tools/need.sh cargo cc
	@cargo run --profile bench -p tidings-examples --features profile --bin bench

bench-fleet: ## a day of 10,000 accounts in one process: threads, file handles, memory, processor time; FLEET_ACCOUNTS=500 is quicker
	@tests/tools/need.sh cargo cc
	@cargo run --profile bench -p tidings-examples --bin bench_fleet

clean: ## remove what was built and downloaded here
	@rm -rf target bindings/node/node_modules tests/node_modules tests/clients/node_modules bindings/kotlin/target bindings/kotlin/generated
