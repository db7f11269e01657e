# The whole developer interface. Every target makes what it needs, from a bare clone on.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKDIR ?= runs/quickstart

.PHONY: quickstart test bench lint format clean

quickstart: $(VENV)/installed  ## train a sweep, measure it, transfer it, report
	$(BIN)/python -m experiments.sweep --config=configs/quickstart.py --workdir=$(WORKDIR)
	$(BIN)/python -m experiments.report --workdir=$(WORKDIR)

test: $(VENV)/installed-test  ## every test
	$(BIN)/python -m pytest -n 2 --dist loadfile

bench: $(VENV)/installed-bench  ## speed against PyTorch; BENCH=--suite=gc for one suite
	$(BIN)/python -m experiments.benchmark $(BENCH)

lint: $(VENV)/installed-test  ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: ncjax needs Python 3.11 or newer; got $$($(PYTHON) --version). Name one: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

$(VENV)/installed: requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-test: requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@ $(VENV)/installed

$(VENV)/installed-bench: requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@ $(VENV)/installed
