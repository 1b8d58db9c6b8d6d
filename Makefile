# Two commands do all their own set-up in .venv; nothing is assumed but Python 3.11 or newer and make.
#   make prove   a cluster loses its leader under a real client, and a report says what was lost
#   make test    everything that must pass before a change lands (under 15 minutes)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: prove test test-all lint bench clean

prove: $(READY)
	$(BIN)/holdwater prove leader-election

# Seeds by themselves: they keep two cores busy, and real clusters beside them would miss their times.
SEEDS := tests/simulation/test_seeds.py

test: lint
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadgroup --ignore $(SEEDS)
	$(BIN)/python -m pytest -m "not slow" $(SEEDS)

test-all: lint
	HOLDWATER_HYPOTHESIS=random $(BIN)/python -m pytest -n 2 --dist loadgroup --ignore $(SEEDS)
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(SEEDS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m benchmarks

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "holdwater needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV)
