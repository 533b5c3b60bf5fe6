# One command for each thing people do here; `make help` lists them.
export PYTHON REPO BRANCH
# Many processes start from the same files: where these may not be kept compiled, each compiles all of them anew.
export PYTHONDONTWRITEBYTECODE :=
# How many tests run beside each other.
PARALLEL ?= 2
BIN := .venv/bin
# Stamps: what they stand for is installed as long as they are newer than the file that pins it.
RUNTIME := .venv/.runtime
DEV := .venv/.dev

chosen = $(filter-out 0 no false,$(1))
compile = $(BIN)/python -m uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
	--custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help venv dev up down status demo test test-slow check format lint types imports bench bench-anomaly faults faults-chat faults-chat-long kube lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

# One environment for both: once it holds the development tools, it keeps them.
$(RUNTIME): requirements.txt
	@echo "Installing the pinned requirements into .venv"
	@sh launcher/venv.sh $(if $(wildcard $(DEV)),requirements-dev.txt,requirements.txt)
	@touch $@

$(DEV): requirements-dev.txt
	@echo "Installing the pinned requirements and development tools into .venv"
	@sh launcher/venv.sh requirements-dev.txt
	@touch $(RUNTIME) $@

venv: $(RUNTIME) ## Make the virtual environment with what Headrace runs on
dev: $(DEV) ## The same with the tools for developing it

# exec: a signal to make's child must reach the launcher, not a shell in between.
up: $(RUNTIME) ## Start the platform until Ctrl-C (DETACH=1: in the background)
	@exec $(BIN)/python -m launcher up $(if $(call chosen,$(DETACH)),--detach)

down: ## Stop the platform that runs in the background
	@if [ -x $(BIN)/python ]; then exec $(BIN)/python -m launcher down; fi

status: $(RUNTIME) ## Show the platform's processes
	@$(BIN)/python -m launcher status || true

demo: $(DEV) ## Start the platform and run a real pipeline (REPO= path or URL, BRANCH=, ONCE=1: end after it)
	@exec $(BIN)/python -m launcher demo $(if $(call chosen,$(ONCE)),--once) --repository "$$REPO" --branch "$$BRANCH"

test: $(DEV) ## Run the tests on real parts, but for the slow ones (ARGS= for pytest)
	@$(BIN)/python -m pytest -n $(PARALLEL) --dist loadfile -m "not slow" $(ARGS)

test-slow: $(DEV) ## Run those that kill, wait, race or walk through the whole platform (ARGS= for pytest)
	@$(BIN)/python -m pytest -n $(PARALLEL) --dist loadfile -m slow $(ARGS)

check: lint types imports test ## What passes before each commit: format, lint, types, import contracts, tests

format: $(DEV) ## Bring the code into its format
	@$(BIN)/python -m ruff format

lint: $(DEV) ## Check format and style
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m ruff check

types: $(DEV) ## Check the types
	@$(BIN)/python -m mypy

imports: $(DEV) ## Check who imports whom
	@$(BIN)/python -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

bench: $(DEV) ## Measure against the bare parts
	@$(BIN)/python -m bench $(ARGS)

bench-anomaly: $(DEV) ## Hold the anomaly detector to labelled series (DATA= folder of them, docs/anomaly.md)
	@$(BIN)/python -m bench.anomaly $(if $(DATA),--data "$(DATA)") $(ARGS)

faults: $(DEV) ## Kill what can be killed under load, check that no job is lost or doubled (JOBS=, KILLS=, SEED=)
	@exec $(BIN)/python -m tests.faults $(if $(JOBS),--jobs $(JOBS)) $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

faults-chat: $(DEV) ## Kill the API, the streams and Redis while 1,000 clients talk in rooms (ARGS="--clients 200 --messages 2000 --kills 5")
	@exec $(BIN)/python -m tests.faults.chat $(ARGS)

faults-chat-long: $(DEV) ## The same for hours: 10,000 clients in 2,000 rooms, a million messages, 200 kills
	@exec $(BIN)/python -m tests.faults.chat --clients 10000 --rooms 2000 --messages 1000000 --kills 200 --spacing 30 $(ARGS)

kube: $(DEV) ## Hold the tests' Kubernetes to a real API server (KUBE_UP= or KUBE_BIN=, docs/clusters.md)
	@PYTHON_BIN=$(BIN)/python exec sh ci/kube.sh $(ARGS)

lock: $(DEV) ## Pin the newest versions of all requirements, with hashes
	@$(compile) requirements.in --output-file requirements.txt
	@$(compile) requirements-dev.in --output-file requirements-dev.txt

clean: ## Stop the platform and remove all that was made: .venv, .headrace with its data, caches
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m launcher down; fi
	@rm -rf .venv .headrace .cache .*_cache .hypothesis .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
