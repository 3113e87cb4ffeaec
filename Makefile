# `make` alone lists the targets. Everything runs in .venv, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help install demo test lint types unit format bench bench-full clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(READY) ## create .venv and install Glyphlab with everything

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[all,dev]'
	@touch $@

demo: $(READY) ## train and evaluate on the embedded digits, about half a minute
	$(BIN)/glyphlab train digits

test: lint types unit ## what continuous integration runs: lint, types, tests

lint: $(READY) ## ruff: style and format
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples

types: $(READY) ## mypy, strict, also for what only Windows or macOS does
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin

# A file's tests stay together, for they share what they trained; files in order, those with a browser last.
unit: $(READY) ## the tests, on all cores
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

format: $(READY) ## let ruff rewrite the sources
	$(BIN)/ruff check --fix src tests benchmarks examples
	$(BIN)/ruff format src tests benchmarks examples

bench: $(READY) ## measure speed beside plain ways of doing the same, some minutes
	$(BIN)/python benchmarks/all.py

bench-full: $(READY) ## all benchmarks, whole; stopped, it goes on where it was
	$(BIN)/python benchmarks/all.py --full

clean: ## remove the environment and caches (never runs/)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
