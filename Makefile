# Everything runs in .venv, which each target makes or renews only when pyproject.toml or constraints.txt changed.
# PYTHON and PIP_ARGS can be given, for instance to fetch the smaller CPU build of torch:
#   make setup PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= python3
PIP_ARGS ?=
BENCH_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
DEMO_CLIP := sample_clips/mover.mp4
DEMO_OUT := demo-out

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' Makefile

setup: $(DEV)  ## Make .venv with ddvideo (editable) and the tools for development

demo: $(BASE)  ## Split the sample clip into foreground, background and alpha
	$(BIN)/ddvideo segment $(DEMO_CLIP) -o $(DEMO_OUT)
	@echo "The layers, preview.mp4 and report.html are in $(DEMO_OUT)/$(notdir $(basename $(DEMO_CLIP)))/"

test: $(DEV)  ## Run the tests
	$(BIN)/python -m pytest

check: $(DEV)  ## Format, lint, types and tests: what continuous integration runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

bench: $(DEV)  ## Measure segmentation; options go in BENCH_ARGS="..."
	$(BIN)/python -m benchmarks.segment $(BENCH_ARGS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ddvideo needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@rm -f $(BASE) $(DEV)

$(BASE): pyproject.toml constraints.txt $(BIN)/python
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e .
	@touch $@

$(DEV): pyproject.toml constraints.txt $(BIN)/python
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e ".[dev]"
	@touch $(BASE) $@
