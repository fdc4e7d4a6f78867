# Sets up .venv from nothing when it is missing or stale, then runs. Needs Python 3.11 or later, make and git.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed
# A file's tests stay in one process: they share what is built once.
PARALLEL := -n auto --dist loadfile
HF := HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1

.PHONY: setup demo test test-all check bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: $(STAMP)
	$(BIN)/vqa2 demo --out build/demo

test: $(STAMP)
	$(HF) $(BIN)/python -m pytest $(PARALLEL) -m "not full"
	@echo "LEFT OUT by make test: $$($(HF) $(BIN)/python -m pytest -m full --collect-only -q | grep -c '::') tests marked full (make test-all runs them)."

test-all: $(STAMP)
	$(HF) $(BIN)/python -m pytest $(PARALLEL)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The peers that are measured beside are no part of the project, so they come here.
bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv build
