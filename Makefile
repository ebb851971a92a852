# Everything sets itself up: a virtual environment in .venv, the pinned packages, then the job.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
# More workers than the two cores of CI: a third of the time a worker waits, for a process, a server or a browser.
WORKERS ?= 3

# Else each process of each test compiles 400 modules anew, in four seconds instead of one.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test documents check calibration thorough load fuzz bench pythons lock format

help: ## what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# Every file that pip fetches has to have a digest of the lock; mauwatch itself is built by what the lock brought.
define environment
	$(1) -m venv $(2)
	$(2)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(3)
endef
define checkout
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
endef

.venv/ready: pyproject.toml requirements/development.txt
	$(call environment,$(PYTHON),.venv,requirements/development.txt)
	$(call checkout,.venv)
	touch $@

demo: .venv/ready ## count a group of 690 million people, and compare with the truth
	$(BIN)/mauwatch demo

test: .venv/ready .venv-core/ready .venv-spark/ready ## all tests; with ../shared beside the checkout, over all of its data
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

documents: .venv/ready ## the commands of README.md and docs/ print what stands beneath them
	$(BIN)/python -m pytest -n $(WORKERS) --documents

check: .venv/ready ## style, types, who may import whom, and what keeps the code readable
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tests/tools/count_house.py --check

calibration: .venv/ready ## how often the 95 % interval holds the truth: the table in tests/calibration.md
	$(BIN)/python -m tests.tools.calibration | tee tests/calibration.md

thorough: .venv/ready ## runs killed at 30 points, alerts at 39; the shared data with and without its crosswalk, raw and by sketches alone
	$(BIN)/python -m pytest -n $(WORKERS) --thorough tests/system/test_killed.py tests/system/test_at_once.py \
		tests/system/test_git_activity.py tests/system/test_by_arrival.py tests/pipelines/alerts/test_delivery.py \
		tests/pipelines/evidence/test_forged_bundles.py

load: .venv/ready ## four runs, a backfill of 90 days and 20 readers at once on PostgreSQL: two minutes, and nobody sees half
	$(BIN)/python -m tests.tools.load --seconds 120

SECONDS ?= 120
fuzz: .venv/ready ## images as a stranger may send them, for two minutes: registers or a refusal, as a second reader says
	$(BIN)/python -m tests.tools.fuzz --seconds $(SECONDS)

.venv-bench/ready: pyproject.toml requirements/development.txt
	$(call environment,$(PYTHON),.venv-bench,requirements/development.txt)
	$(call checkout,.venv-bench)
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt chdb pyarrow
	touch $@

# An environment .venv-superset that somebody has made with apache-superset is compared with, too (tests/tools/web_superset.py).
# What an affiliate's machine has: the core, and nothing of the centre.
.venv-core/ready: pyproject.toml requirements/core.txt
	$(call environment,$(PYTHON),.venv-core,requirements/core.txt)
	$(call checkout,.venv-core)
	touch $@

# Spark runs on Java; where there is none, its tests are skipped, and the table of the bench is made without it.
.venv-spark/ready: requirements/spark.txt
	$(call environment,$(PYTHON),.venv-spark,requirements/spark.txt)
	touch $@

# The other versions of Python that pyproject.toml claims: what affiliates run on their machines, but for the longest tests.
pythons: ## the edge's tests under each other version of Python that is claimed, where one is installed
	for version in 3.12 3.13; do \
		python=$$(python$$version -c 'import sys; print(sys.executable)' 2>/dev/null || echo "$$(pyenv prefix $$version 2>/dev/null)/bin/python$$version"); \
		if [ ! -x "$$python" ]; then echo "no Python $$version here: not tested"; continue; fi; \
		$(MAKE) .venv-$$version/ready VERSION=$$version OTHER="$$python" && \
		.venv-$$version/bin/python -m pytest -n $(WORKERS) --dist worksteal -m "not long" tests/affiliates || exit 1; \
	done

.venv-$(VERSION)/ready: pyproject.toml requirements/development.txt
	$(call environment,$(OTHER),.venv-$(VERSION),requirements/development.txt)
	$(call checkout,.venv-$(VERSION))
	touch $@

.venv-lock/ready: constraints.txt
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	touch $@

LOCK := .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --no-annotate \
	--no-emit-index-url -c constraints.txt
lock: .venv-lock/ready ## the digests of all that pip may fetch, from the pins in constraints.txt: requirements/
	$(LOCK) --extra build pyproject.toml -o requirements/core.txt
	$(LOCK) --extra build --extra group --extra dev pyproject.toml -o requirements/development.txt
	echo pyspark | $(LOCK) - -o requirements/spark.txt

bench: .venv-bench/ready .venv-spark/ready ## speed beside others, and error: tests/bench.md and bench.json (20 minutes)
	.venv-bench/bin/python -m tests.tools.bench $(shell command -v java >/dev/null && echo .venv-spark/bin/python)

format: .venv/ready ## put the code in shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
