# Every target sets up what it needs by itself; `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Each worker of a test run would rewrite the asserts of all modules again, 4 s of CPU each.
unexport PYTHONDONTWRITEBYTECODE

# The wheels of the embedded servers end at 3.13, so newer Pythons come last.
PYTHONS := python3.13 python3.12 python3.11 python3 python3.14
BIN := .venv/bin
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command 'make lock' pyproject.toml

# $(call venv,DIR): a fresh virtual environment made by the first Python that is new enough and can make one.
define venv
python=; for each in $(PYTHONS); do \
	if "$$each" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then python=$$each; break; fi; done; \
if [ -z "$$python" ]; then \
	echo 'ticket-counts needs Python 3.11 or newer with venv (Debian: apt install python3-venv); tried $(PYTHONS)' >&2; \
	exit 1; fi; \
echo "setting up $(1) with $$("$$python" --version)"; \
rm -rf $(1); "$$python" -m venv $(1)
endef
# Journeys wait about as long as they work, so there are two workers a core (tests/conftest.py). The seed of the
# properties is today's date: another one each day, and whoever sees one fail can repeat it.
PYTEST := $(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --hypothesis-seed=$$(date +%Y%m%d)
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

.venv/.ready: tests/requirements.lock pyproject.toml
	@$(call venv,.venv)
	@$(BIN)/python $(PIP_INSTALL) --require-hashes -r tests/requirements.lock
	@$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv-demo/.ready: deploy/requirements.lock
	@$(call venv,.venv-demo)
	@.venv-demo/bin/python $(PIP_INSTALL) --require-hashes -r deploy/requirements.lock
	@touch $@

.PHONY: check
check: .venv/.ready ## format, lint, strict types, import contracts: seconds
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: test
test: check ## check, then each promise at least once, 8 minutes; the first lines say which Redis and which Kafka
	$(PYTEST) -m 'not exhaustive and not faults_long' --hypothesis-profile=quick $(ARGS)

.PHONY: test-all
test-all: check ## check, then all tests but the long fault run: more seeds, sizes and engines of the same promises
	$(PYTEST) -m 'not faults_long' $(ARGS)

.PHONY: faults
faults: .venv/.ready ## the long fault run, an hour: TICKET_COUNTS_TEST_FAULT_SEEDS=30 and ..._FAULT_SECONDS=60 each
	$(BIN)/pytest -m faults_long $(ARGS)

.PHONY: fuzz
fuzz: .venv/.ready ## each fuzzer for ten minutes: TICKET_COUNTS_TEST_FUZZ_SECONDS=600, ARGS=tests/fuzz/test_events.py
	TICKET_COUNTS_TEST_FUZZ_SECONDS=$${TICKET_COUNTS_TEST_FUZZ_SECONDS:-600} nice $(BIN)/pytest $(or $(ARGS),tests/fuzz)

.PHONY: mutations
mutations: .venv/.ready ## take each guard out of a copy, see its test fail: a quarter of an hour; ARGS='--only apply.lua'
	$(BIN)/python -m tests.mutations $(ARGS)

.PHONY: bench
bench: .venv/.ready ## throughput against bare loops over the same bytes
	$(BIN)/python -m tests.benchmarks $(ARGS)

.PHONY: demo
demo: .venv-demo/.ready ## everything on this machine: broker, Redis, sample tickets, dashboard
	@.venv-demo/bin/python -m deploy.local $(ARGS)

.PHONY: lock
lock: .venv/.ready ## write both lock files anew (ARGS=--upgrade for newer versions)
	$(LOCK) --extra embedded --output-file deploy/requirements.lock $(ARGS)
	$(LOCK) --extra dev --output-file tests/requirements.lock $(ARGS)

.PHONY: clean
clean: ## remove all that was built here
	rm -rf .venv .venv-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find service consumers deploy tests -type d -name __pycache__ -prune -exec rm -rf {} +
