# The commands of the project. Each target also works on a fresh clone.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
READY := $(VENV)/.installed
unexport PYTHONDONTWRITEBYTECODE  # or each process of a run would compile the package and its tests again
TWO := -n 2  # pytest in two processes; tests/support/groups.py says which tests stay together

.PHONY: help install demo dbt check check-code check-unit test test-all lint hooks lab lock down clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: $(READY) ## Install everything into .venv; nothing outside it changes

$(READY): requirements.txt requirements-bootstrap.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo 'Python 3.11, 3.12 or 3.13 is required (found: '"$$($(PYTHON) --version 2>&1)"').  Cure: install it, then: make install PYTHON=python3.11'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.txt
	$(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.txt
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## Start the stack, stream events, open the app; Ctrl-C stops everything
	@$(BIN)/rtlib demo

dbt: install ## Load four weeks of history for every domain, build and test all models
	@$(BIN)/rtlib up
	@$(BIN)/rtlib backfill --all-domains
	@$(BIN)/rtlib dbt build

check: install ## Format, lint, types and unit tests; run it before each commit
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target check-code check-unit

check-code:
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy

check-unit:
	@$(BIN)/python -m pytest $(TWO) --quiet tests/unit

test: install ## All tests but the long ones, including the real stack and a browser
	@$(BIN)/rtlib doctor --browser --install
	$(BIN)/python -m pytest $(TWO) --durations 30

test-all: install ## All tests including the long ones; run it before a release
	@$(BIN)/rtlib doctor --browser --install
	@$(BIN)/python -m pytest $(TWO) --release --durations 60 --junitxml $(VENV)/test-all.xml; code=$$?; \
	  $(BIN)/python scripts/write_test_report.py $(VENV)/test-all.xml; exit $$code

lint: install ## All checks of the hooks: format, lint, types, import rules, SQL
	$(BIN)/pre-commit run --all-files

hooks: install ## Install the git hooks: they check files and commit messages
	$(BIN)/pre-commit install

lab: install ## Open the lessons in JupyterLab
	@$(BIN)/rtlib lab

down: install ## Stop the stack
	@$(BIN)/rtlib down

lock: install ## Resolve the dependencies again and write the lock with hashes
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --quiet -o requirements.txt
	$(BIN)/uv pip compile requirements-bootstrap.in --universal --python-version 3.11 --generate-hashes --no-header --quiet -o requirements-bootstrap.txt

clean: ## Remove the environment and all local state
	@if [ -x $(BIN)/rtlib ]; then $(BIN)/rtlib down; fi
	rm -rf $(VENV) .rtlib
