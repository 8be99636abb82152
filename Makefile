# Everything a newcomer types.  Needs python3 (3.11 or newer), python3-venv, make and git; the rest is fetched into .venv.
#
#   make demo          an unmodified program, plain and under Windows' rules, side by side
#   make test          the test suite             (make test PYTEST_ARGS='-k bind -x')
#   make check         ruff, mypy --strict, the direction of imports
#   make bench         speed and memory against the budgets
#   make bench-corpus  precision and recall of winsock annotate on labelled lines of logs
#   make bench-ports   port reservations against portpicker: failed binds, time, memory
#   make test-wine     the twin checks, here and on Wine
#   make test-cpython  CPython's own network tests under the Windows view
#   make test-pythons  a short choice of the tests with every other supported Python of this machine
#   make docs          refresh what docs/ shows and the index of messages, and build the site in build/site
#   make clean         remove what was generated (make distclean: .venv too)

PYTHON ?= python3
VENV   ?= .venv
PY     := $(VENV)/bin/python
PYTEST_ARGS ?=
# Processes for the test suite, each file in one of them; 0 is pytest's own alone.
JOBS   ?= 2

# modules for test-cpython; all that it knows by default
CPYTHON_TESTS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench bench-corpus bench-ports test-wine test-cpython test-pythons docs clean distclean

help:
	@sed -n '3,14s/^# \{0,1\}//p' Makefile

# -- set-up: one virtual environment, renewed when pyproject.toml changes -------------------------

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "winsock needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(PY) || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@# A pip as old as the system's may not know editable installs; offline, what is there has to do.
	@$(PY) -m pip install --quiet --disable-pip-version-check --upgrade pip || true
	@touch $@

# the package alone
$(VENV)/.run: pyproject.toml $(VENV)/.made
	@echo "installing winsock into $(VENV)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

# the package and the tools of its developers
$(VENV)/.dev: pyproject.toml $(VENV)/.made
	@echo "installing winsock and its development tools into $(VENV)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.run

# the package and what it is measured against; uvloop is not for every interpreter
$(VENV)/.bench: pyproject.toml $(VENV)/.made
	@echo "installing winsock, portpicker and uvloop into $(VENV)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@$(PY) -m pip install --quiet --disable-pip-version-check -e '.[bench-uvloop]' || echo "uvloop cannot be had here"
	@touch $@ $(VENV)/.run

# -- verbs ----------------------------------------------------------------------------------------

demo: $(VENV)/.run
	@$(PY) demo/side_by_side.py

test: $(VENV)/.dev
	@$(PY) -m pytest -n $(JOBS) --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.dev
	$(PY) -m ruff check .
	$(PY) -m mypy --strict
	$(PY) -m pytest -q -p no:cacheprovider tests/test_layers.py

bench: $(VENV)/.bench
	@$(PY) bench/bench.py

bench-corpus: $(VENV)/.run
	@$(PY) tests/annotate/labelled.py -v

bench-ports: $(VENV)/.bench
	@$(PY) bench/ports.py

test-wine: $(VENV)/.dev
	@$(PY) tests/wine/environment.py
	@$(PY) -m pytest -q --wine tests/twins $(PYTEST_ARGS)

test-cpython: $(VENV)/.run
	@$(PY) scripts/cpython_tests.py $(CPYTHON_TESTS)

test-pythons: $(VENV)/.made
	@$(PY) scripts/other_pythons.py

docs: $(VENV)/.dev
	@$(PY) scripts/search_index.py
	@$(PY) scripts/docs.py
	@$(PY) -W ignore scripts/site/build.py

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info tests/wine/build bench/build
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print | xargs -r rm -rf

distclean: clean
	rm -rf $(VENV)
