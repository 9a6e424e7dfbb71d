# Everything runs from .venv; nothing outside this folder is changed.
# A fresh machine needs make and Python 3.11 or newer. Another interpreter: make test PYTHON=/path/to/python3

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
LOGS := deploy/examples/logs
OUTPUT := demo-output
# Two workers on two cores. One test at a time: make test PYTEST_ARGS="-n 0"
PYTEST_ARGS ?= -n auto

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# pip is what venv puts in last, so its presence means that the environment is whole.
$(BIN)/pip:
	@python=""; \
	for candidate in $(or $(PYTHON),python3.11 python3 python3.14 python3.13 python3.12); do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "watchfloor needs Python 3.11 or newer; found none as: $(or $(PYTHON),python3.11 python3 python3.14 python3.13 python3.12)."; \
	  echo "Install one, or name it: make $(or $(MAKECMDGOALS),demo) PYTHON=/path/to/python3"; \
	  exit 2; \
	fi >&2; \
	if ! "$$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then \
	  version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$$python cannot make virtual environments: its venv or ensurepip module is missing."; \
	  echo "On Debian and Ubuntu they come with: apt-get install python$$version-venv"; \
	  exit 2; \
	fi >&2; \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --clear $(VENV)

$(VENV)/.demo-stamp: pyproject.toml | $(BIN)/pip
	@echo "Installing watchfloor into $(VENV)"
	@$(PIP) --editable .
	@touch $@

# What tests need includes what the demo needs, so one installation settles both stamps.
$(VENV)/.dev-stamp: pyproject.toml | $(BIN)/pip
	@echo "Installing watchfloor and its development tools into $(VENV)"
	@$(PIP) --editable '.[dev]'
	@touch $(VENV)/.demo-stamp $@

.PHONY: setup
setup: $(VENV)/.dev-stamp ## Make .venv with the development tools

.PHONY: demo
demo: $(VENV)/.demo-stamp ## Replay one day of example logs and write a report
	@mkdir -p $(OUTPUT)
	$(BIN)/watchfloor replay --report $(OUTPUT)/report.html --out $(OUTPUT)/alerts.jsonl $(LOGS)
	@echo
	@echo "Report: $(abspath $(OUTPUT)/report.html)"
	@echo "Alerts: $(abspath $(OUTPUT)/alerts.jsonl), one JSON object per line"

.PHONY: up
up: $(VENV)/.demo-stamp ## Run the live service on made-up traffic, until Ctrl-C
	@mkdir -p $(OUTPUT)
	@echo "Alerts appear below within a minute. Status: http://127.0.0.1:9464/  Metrics: http://127.0.0.1:9464/metrics  Stop: Ctrl-C"
	$(BIN)/watchfloor run -c deploy/examples/up.yaml

.PHONY: lint
lint: $(VENV)/.dev-stamp ## Check style, types, import rules and generated references
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m monitor.docs_reference --check

.PHONY: test
test: lint ## Everything lint checks, then every test; stops at the first failure
	$(BIN)/pytest $(PYTEST_ARGS)

.PHONY: format
format: $(VENV)/.dev-stamp ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(VENV)/.dev-stamp ## Measure speed
	$(BIN)/python -m tests.bench

.PHONY: bench-live
bench-live: $(VENV)/.dev-stamp ## Measure the live service: checkpoints, a flood of addresses, Kafka (some 25 minutes; needs a JDK and Maven)
	$(BIN)/python -m tests.bench.checkpoints
	$(BIN)/python -m tests.bench.flood
	$(BIN)/python -m tests.bench.live

.PHONY: bench-peers
bench-peers: $(VENV)/.dev-stamp ## Compare with simple peers on the same traffic, and measure memory for each actor (some 20 minutes)
	$(BIN)/python -m tests.bench.peers
	$(BIN)/python -m tests.bench.memory

.PHONY: evaluate
evaluate: $(VENV)/.dev-stamp ## Measure what is found and what is raised for nothing (some minutes), and write docs/evaluation.md
	$(BIN)/python -m monitor.evaluate

.PHONY: docs
docs: $(VENV)/.dev-stamp ## Write the generated references anew
	$(BIN)/python -m monitor.docs_reference

.PHONY: logs
logs: $(VENV)/.demo-stamp ## Write the example logs anew
	$(BIN)/python deploy/examples/make_logs.py

.PHONY: clean
clean: ## Remove outputs and caches; .venv stays
	rm -rf $(OUTPUT) build dist *.egg-info .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Remove .venv as well
	rm -rf $(VENV)
