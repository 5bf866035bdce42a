# `make` lists the targets. Only Python >= 3.11 and make are needed; the first run downloads, later ones do not.
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# unless PYTHON says otherwise: that of .venv if it is whole, else the first that is new enough
PYTHON ?= $(shell .venv/bin/python -c 'import pip' 2>/dev/null && echo .venv/bin/python || \
	for one in python3 python3.13 python3.12 python3.11; do \
	$$one -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$one && break; done)
RUN := .venv/bin
ARGS ?=

# $(call install,SET): what it says goes to stderr, so that `make demo ARGS=--json` prints JSON only
define install
	@test -n "$(PYTHON)" || { echo "tidewatch: no Python >= 3.11 found; install one, or: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) requirements/install.py $(1) >&2
endef

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: ## watch a model get worse and the right team be paged (ARGS="--json", ARGS="--stream elec2")
	$(call install,demo)
	@$(RUN)/tidewatch demo $(ARGS)

.PHONY: kafka
kafka: ## run a Kafka on localhost:9092 until Ctrl-C, to try things on (ARGS="--port 9192")
	$(call install,demo)
	@$(RUN)/tidewatch kafka run --port 9092 $(ARGS)

.PHONY: test
test: ## run the tests on a real Kafka (ARGS="tests/unit -k join")
	$(call install,dev)
	@$(RUN)/python -m pytest $(if $(ARGS),$(ARGS),-n auto)

.PHONY: chaos
chaos: ## kill workers and brokers under load and count everything after (ARGS="--seed 7 --only zombie")
	$(call install,dev)
	@$(RUN)/python -m tests.chaos $(ARGS)

.PHONY: lint
lint: ## check style and types
	$(call install,dev)
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/python -m mypy

.PHONY: check
check: lint test ## lint, then test

.PHONY: ci
ci: ## what the build server runs
	@bash .ci/run

.PHONY: format
format: ## let ruff mend what it can
	$(call install,dev)
	@$(RUN)/ruff check --fix-only --quiet .
	@$(RUN)/ruff format .

.PHONY: contract
contract: ## write docs/contract anew from the types
	$(call install,dev)
	@$(RUN)/python -m stream.contract

.PHONY: dashboards
dashboards: ## write the Grafana dashboards anew
	$(call install,dev)
	@$(RUN)/python grafana/generate.py

.PHONY: bench
bench: ## measure speed, memory and restart (ARGS="--only ratio_bare --repeats 3 --events 100000")
	$(call install,dev)
	@$(RUN)/python -m bench $(ARGS)

.PHONY: bench-paging
bench-paging: ## measure the pager: a storm, kills, ten thousand open incidents, the way from event to page
	$(call install,dev)
	@$(RUN)/python -m bench.paging

.PHONY: bench-detection
bench-detection: ## measure how late harm is found, and how often where there is none (ARGS=--short)
	$(call install,dev)
	@$(RUN)/python -m bench.detection $(ARGS)

COMPILE_ALONE = UV_CUSTOM_COMPILE_COMMAND="make lock" $(RUN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate
COMPILE = $(COMPILE_ALONE) pyproject.toml requirements/build.in

.PHONY: lock
lock: ## write the locked requirements anew (ARGS=--upgrade for the newest)
	$(call install,dev)
	@$(COMPILE) --extra demo --group dev $(ARGS) -o requirements/dev.txt >/dev/null
	@$(COMPILE) --extra demo -c requirements/dev.txt -o requirements/demo.txt >/dev/null
	@$(COMPILE) -c requirements/dev.txt -o requirements/base.txt >/dev/null
	@$(COMPILE_ALONE) $(ARGS) requirements/others.in -o requirements/others.txt >/dev/null

.PHONY: clean
clean: ## remove .venv and caches
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	@find stream alerts tests bench grafana -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
