# make install   the environment in .venv, everything in it
# make test      the fast tests, offline
# make test-all  all tests: also slow ones, the executed docs and the base install (which needs a package index)
# make test-rest the tests of test-all that are not in test
# make test-levels  tests of runtime and export at each further instruction set of the native engine (part of test-all)
# make check     lint, format, types, import rules, docs drift
# make wheel     wheels in dist/: with the native engine inside for x86-64 and Arm Linux, and the pure one
# make demo      the whole line on a small task
# make mutants   mistakes made on purpose, one at a time: do the tests notice? (resumes where it was; not part of CI)
# make atlas     every row of the atlas measured (hours; goes on where it was), and its pages
# make atlas-quick  every row at toy size, in seconds
# make bench     everything that README and docs show, measured again (hours; goes on where it was)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NATIVE := src/leanformer/runtime/native
LIBRARY := $(NATIVE)/library/library.json
TOOLS := build/tools
PIP := $(BIN)/python -m pip
# Written so that any Python, also a very old one, can say why it will not do.
NEED_PYTHON = -c 'import sys; sys.version_info >= (3, 11) or sys.exit("error: Python 3.11 or newer is needed, \
and %s is %s\n  remedy: $(1)make install PYTHON=python3.11" % (sys.executable, sys.version.split()[0]))'

.DEFAULT_GOAL := help
.PHONY: help install wheel test test-rest test-all test-levels check demo mutants atlas atlas-quick bench clean

help:
	@sed -n 's/^# //p' Makefile

install: $(STAMP) $(LIBRARY)

# Without it (no compiler for this platform) the engine is compiled at its first use, as in a pure wheel.
$(LIBRARY): $(STAMP) hatch_build.py $(foreach kind,*.cpp *.h levels.py sources.py,$(wildcard $(NATIVE)/$(kind)))
	-$(BIN)/python hatch_build.py --checkout

# Made with two packages alone, so that it takes no more than a compiler and a minute.
wheel:
	@test -x $(TOOLS)/bin/python || $(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet -c constraints.txt hatchling ziglang
	$(TOOLS)/bin/python hatch_build.py

# Half an environment (a run that was killed) is completed, not thrown away. torch comes first and alone, so that
# the client chooses its build by our pin and by nothing else; the rest then finds it there.
$(STAMP): pyproject.toml constraints.txt
	@$(PIP) --version >/dev/null 2>&1 || { $(PYTHON) $(call NEED_PYTHON) && $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python $(call NEED_PYTHON,make clean; )
	$(PIP) install --quiet -c constraints.txt torch
	$(PIP) install --quiet -c constraints.txt -e '.[train,search,cluster,openvino,serve,energy,peers,build,dev,demo]'
	@touch $@

test: install
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not base_install and not docs"

test-rest: install test-levels
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "slow or base_install or docs"

test-all: install test-levels atlas-quick
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# The first level is the one that the other tests have.
test-levels: install
	@for level in $$($(BIN)/python -m tests.making.native | cut -s -d ' ' -f 2-); do \
		echo "at level $$level of the native engine"; \
		HF_HUB_OFFLINE=1 LEANFORMER_LEVEL=$$level $(BIN)/python -m pytest -n 2 --dist loadfile \
			-m "not slow and not base_install and not docs" tests/runtime tests/export tests/tune || exit 1; \
	done

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m leanformer.render.method_pages --check
	$(BIN)/python -m leanformer.render.api_page --check
	$(BIN)/python -m benchmarks.pages.readme --check
	$(BIN)/python -m benchmarks.pages.cost_page --check
	$(BIN)/python -m benchmarks.pages.ladder_picture sst2 --result thorough --check
	$(BIN)/python -m benchmarks.pages.atlas --check

demo: install
	$(BIN)/leanformer demo

mutants: install
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.mutants.run

atlas: install
	$(BIN)/python -m benchmarks.atlas.sequences
	$(BIN)/python -m benchmarks.atlas.tuning
	$(BIN)/python -m benchmarks.atlas.sparsity
	$(BIN)/python -m benchmarks.pages.atlas

atlas-quick: install
	$(BIN)/python -m benchmarks.atlas.sequences --quick
	$(BIN)/python -m benchmarks.atlas.tuning --quick
	$(BIN)/python -m benchmarks.atlas.sparsity --quick

bench: install
	$(BIN)/python -m benchmarks.run

clean:
	rm -rf $(VENV) $(dir $(LIBRARY)) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis lean-demo
	find src tests benchmarks -type d -name __pycache__ -prune -exec rm -rf {} +
