# Needs Python 3.11 to 3.13 with pip, and make. Everything else goes into a virtual environment in this folder.

AIRFLOW ?= 3.3
version_of = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
constraints_of = $(wildcard constraints/airflow-$(AIRFLOW)-python-$(call version_of,$(1)).txt)
PYTHONS := python3 python3.13 python3.12 python3.11
# The first one that this Airflow is tested with.
ifndef PYTHON
PYTHON := $(firstword $(foreach one,$(PYTHONS),$(if $(call constraints_of,$(one)),$(one))) python3)
endif

# Airflow and Python, one for every file in constraints/: the oldest Python and the newest that each Airflow supports.
CELLS := 2.11/3.11 2.11/3.12 3.0/3.11 3.0/3.12 3.1/3.11 3.1/3.13 3.2/3.11 3.2/3.13 3.3/3.11 3.3/3.12 3.3/3.13
UV := uv==0.13.9
PYTHON_VERSION := $(call version_of,$(PYTHON))
CONSTRAINTS := constraints/airflow-$(AIRFLOW)-python-$(PYTHON_VERSION).txt
VENV := .venv-airflow-$(AIRFLOW)-python-$(PYTHON_VERSION)
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := .venv-peers-python-$(PYTHON_VERSION)
# Before a command: it gets an empty Airflow home, and the programs of the environment.
IN_AIRFLOW_HOME = home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && AIRFLOW_HOME="$$home" PATH="$(CURDIR)/$(BIN):$$PATH"

# Many processes read the same modules, which need not be compiled in each.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-system test-celery test-matrix soak simulate simulate-mutants screenshots package lowest next docs lint format constraints clean venv

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22
	@echo "PYTHON=python3.12 and AIRFLOW=2.11 choose another Python or Airflow; see constraints/."

demo: $(READY) ## Run the flagship DAG in a real Airflow on emulators; PLATFORM=modelarts: over both; KEEP=1 leaves them up
	@$(BIN)/python -m demo $(if $(KEEP),--keep) $(if $(PLATFORM),--platform $(PLATFORM))

# Several files at a time: many tests wait more than they work. What kills processes is for test-system.
KILLED := tests/airflow/killed
test: $(READY) ## Test all behaviour, with one run in a real Airflow: 5 minutes; ARGS="-k training" is for pytest
	@$(IN_AIRFLOW_HOME) $(BIN)/python -m pytest -n 6 --dist loadscope --no-loadscope-reorder --ignore=$(KILLED) $(ARGS)

# The tests of a whole Airflow; with an executor, celery or pods, those that share one.
SYSTEM_TESTS := tests/system tests/browser $(KILLED) --ignore=tests/system/test_flagship.py
ifneq ($(EXECUTOR),)
SYSTEM_TESTS := tests/system $(addprefix --ignore=tests/system/test_,flagship.py all_benchmarks.py)
endif
export EXECUTOR

# What starts and kills the parts of an Airflow gets the machine for itself.
test-system: $(READY) ## Test with killed workers and triggerers, in a browser, and with a soak of 45 seconds; EXECUTOR=celery or pods
	@$(IN_AIRFLOW_HOME) $(BIN)/python -m pytest $(SYSTEM_TESTS) $(ARGS)

test-celery: EXECUTOR = celery
test-celery: $(READY) ## Test what is different in Celery's workers: 3 minutes
	@$(IN_AIRFLOW_HOME) $(BIN)/python -m pytest tests/system/test_celery.py $(ARGS)

test-all: ## Run all three, one after the other: 25 minutes
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory test-system
	@$(MAKE) --no-print-directory test-celery

test-matrix: ## Run make test-all on every Airflow and Python, and put the table into the README; CELLS="2.11/3.12 3.0/3.11"
	@$(PYTHON) .ci/matrix.py --readme README.md $(CELLS)

SIM_LIVES ?= 1000000
simulate: $(READY) ## Simulate every crash, pair of crashes and SIM_LIVES drawn lives: a night; PART=1/100; SIM_SEED=n tells one
	@$(IN_AIRFLOW_HOME) $(BIN)/python -m tests.simulation \
	$(if $(SIM_SEED),seed $(SIM_SEED),all $(SIM_LIVES) $(if $(PART),--part $(PART)))

simulate-mutants: $(READY) ## See that the simulation finds defects that are put in on purpose
	@$(IN_AIRFLOW_HOME) $(BIN)/python -m tests.simulation.mutants

soak: export SOAK_SECONDS ?= 900
soak: $(READY) ## Keep jobs under way while all parts die, for SOAK_SECONDS=900 and SOAK_OUTAGE=600; SOAK_SEED=n repeats the dice
	@$(IN_AIRFLOW_HOME) $(BIN)/python -m pytest tests/system/test_soak.py $(ARGS)

# In other versions than those of constraints/, the tests that need no scheduler. The makers' own clients need versions of
# their own, so the tests that listen to them are left out.
IN_OTHER_VERSIONS = home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && AIRFLOW_HOME="$$home" PATH="$(CURDIR)/$(1)/bin:$$PATH" \
  python -m pytest -n 4 --ignore-glob='*vendor*' -q tests/unit tests/contract tests/emulator \
  $(addprefix tests/airflow/test_,$(addsuffix .py,assets doctor operators poller sensors)) $(ARGS)
OTHER_VERSIONS = $(PYTHON) -m venv $(1) && VIRTUAL_ENV="$(CURDIR)/$(1)" $(BIN)/uv pip install --quiet --system-certs \
  $(2) -e '.[emulator,s3]' pytest pytest-asyncio pytest-xdist hypothesis requests-mock requests-toolbelt || $(NO_PACKAGES)

LOWEST := .venv-lowest-python-$(PYTHON_VERSION)
lowest: $(LOWEST)/.ready ## Test with the lowest versions that pyproject.toml allows, on the oldest Airflow
	@$(call IN_OTHER_VERSIONS,$(LOWEST))

$(LOWEST)/.ready: constraints/lowest.txt pyproject.toml | $(BIN)/uv
	@[ "$(PYTHON_VERSION)" = 3.11 ] || { echo "The lowest versions are tested with Python 3.11; set PYTHON." >&2; exit 1; }
	@echo "Setting up $(LOWEST) ..."
	@$(call OTHER_VERSIONS,$(LOWEST),-c $<)
	@touch $@

# What is to come may be broken for a time, and not by this provider: a failure here stops no change.
NEXT := .venv-next-python-$(PYTHON_VERSION)
NEWER = $(shell sed -n 's/^apache-airflow==/>/p' $(CONSTRAINTS))
next: $(NEXT)/.ready ## Test with an Airflow newer than those of constraints/, pre-releases too, and the newest of all else
	@$(NEXT)/bin/python -c 'from importlib.metadata import version; print("Airflow", version("apache-airflow"))'
	@$(call IN_OTHER_VERSIONS,$(NEXT))

$(NEXT)/.ready: pyproject.toml | $(BIN)/uv
	@echo "Setting up $(NEXT), if there is an Airflow $(NEWER) ..."
	@$(call OTHER_VERSIONS,$(NEXT),'apache-airflow$(NEWER)' $(foreach part,airflow>=3 airflow-core>=3 airflow-task-sdk>=1,'apache-$(part)a0'))
	@touch $@

bench: $(READY) $(PEERS)/.ready ## Measure polling, imports, uploads, hostile servers; writes docs/performance.md
	@$(BIN)/python -m benchmarks --peers $(PEERS)/bin/python --write

screenshots: export SCREENSHOTS = 1
screenshots: $(READY) ## Take the pictures in docs/images anew, while the tests in a browser run; needs chromium
	@$(IN_AIRFLOW_HOME) $(BIN)/python -m pytest tests/browser $(ARGS)

package: $(READY) ## Build wheel and sdist in dist, install them in an empty environment, and import all of it
	@$(BIN)/python .ci/package.py --uv $(BIN)/uv --constraints $(CONSTRAINTS) --out dist

docs: $(READY) ## Build the documentation as a site, in build/docs/html
	@$(IN_AIRFLOW_HOME) $(BIN)/python -m sphinx -W --keep-going -q -E -d build/docs/read docs build/docs/html
	@echo "Open build/docs/html/index.html"

lint: $(READY) ## Check style, format, types, and who imports whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(READY) ## Put the code into the one format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

venv: $(READY) ## Set up the virtual environment that the others use

# MiB on the disk that an environment takes, with room for what is unpacked meanwhile.
NEEDED_MIB := 2000
NO_PACKAGES = { echo "The packages could not be got; the lines above say why. Check that the package index can be reached \
	(network, PIP_INDEX_URL), and that the disk has $(NEEDED_MIB) MiB free, then run make again." >&2; exit 1; }

$(BIN)/uv: | $(CONSTRAINTS)
	@free=$$(df -Pm . | awk 'NR == 2 { print $$4 }'); [ "$${free:-$(NEEDED_MIB)}" -ge $(NEEDED_MIB) ] || \
	{ echo "The disk has $$free MiB free, and $(VENV) needs $(NEEDED_MIB); make room for it." >&2; exit 1; }
	@echo "Setting up $(VENV), once; it takes a minute or two ..."
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) has no venv; the lines above say what to install." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV) || $(NO_PACKAGES)

# uv is quick; where it cannot reach the package index, pip may, by a configuration that uv does not read.
$(READY): $(CONSTRAINTS) pyproject.toml | $(BIN)/uv
	@echo "Getting the $$(grep -c == $(CONSTRAINTS)) packages of Airflow $(AIRFLOW) and the tests ..."
	@while sleep 10 >/dev/null 2>&1 && kill -0 $$$$ 2>/dev/null; do echo "  $$(du -sm $(VENV) | cut -f1) MiB so far"; done & \
	trap "kill $$!" EXIT; \
	VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/uv pip install --quiet --compile-bytecode --system-certs -c $(CONSTRAINTS) -e '.[emulator,dev]' || \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[emulator,dev]' || $(NO_PACKAGES)
	@touch $@

# The providers that the benchmarks compare with need versions of their own.
$(PEERS)/.ready: | $(BIN)/uv
	@echo "Setting up $(PEERS) ..."
	@$(PYTHON) -m venv $(PEERS)
	@set -- apache-airflow==3.3.2 $(addprefix apache-airflow-providers-,databricks airbyte amazon http dbt-cloud standard) && \
	{ VIRTUAL_ENV="$(CURDIR)/$(PEERS)" $(BIN)/uv pip install --quiet --system-certs "$$@" || \
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check "$$@"; }
	@touch $@

constraints/%.txt:
	@$(if $(PYTHON_VERSION),\
	echo "There is no $@: Airflow $(AIRFLOW) is not tested with Python $(PYTHON_VERSION). Set PYTHON or AIRFLOW." >&2,\
	echo "Python 3.11, 3.12 or 3.13 is needed, and none of $(PYTHONS) runs; install one, or say PYTHON=/path/to/it." >&2)
	@exit 1

constraints: $(BIN)/uv ## Resolve the newest versions anew, for every Airflow and Python or for CELLS="3.1/3.13"
	@for cell in $(CELLS); do \
	  airflow=$${cell%/*}; python=$${cell#*/}; \
	  { echo "apache-airflow==$$airflow.*"; sed -n "s/^$$airflow: //p" constraints/limits; } | \
	  $(BIN)/uv pip compile pyproject.toml - --extra emulator --extra dev \
	    --python-version $$python --upgrade --system-certs --quiet --no-header --no-annotate \
	    -o constraints/airflow-$$airflow-python-$$python.txt >/dev/null || exit 1; \
	done
	@sed -n "s/^lowest: //p" constraints/limits | $(BIN)/uv pip compile pyproject.toml - --extra emulator --extra s3 \
	  --python-version 3.11 --resolution lowest-direct --upgrade --system-certs --quiet --no-header --no-annotate \
	  -o constraints/lowest.txt >/dev/null

clean: ## Remove what make and the tools left in this folder
	@rm -rf .venv-airflow-* .venv-lowest-* .venv-next-* .venv-peers-* .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
