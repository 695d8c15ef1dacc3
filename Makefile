VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PYTEST_ARGS ?=
SIZE ?= -m "not thorough"

.PHONY: help demo test thorough lint format catalogues lock bench sabotage interleavings mutation docs versions oldest screenshots clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/.ready: pyproject.toml requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: $(VENV)/.ready  ## run the demo store, with the simulator beside it
	$(BIN)/python demo_app.py

test: $(VENV)/.ready  ## run what every change must pass; SIZE= for every test
	$(BIN)/python -m pytest -n auto --dist worksteal $(SIZE) $(PYTEST_ARGS)

thorough:  ## run every test with new random input, every interleaving, mutation and sabotage
	$(MAKE) test SIZE= PYTEST_ARGS="--hypothesis-profile=thorough $(PYTEST_ARGS)"
	$(MAKE) interleavings mutation sabotage

lint: $(VENV)/.ready  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

catalogues: $(VENV)/.ready  ## bring the translations up to date with the messages in use
	$(BIN)/python -m tests.catalogues

lock: $(VENV)/.ready  ## renew requirements-dev.txt from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.10 --no-annotate --no-header --no-emit-index-url --no-emit-find-links --generate-hashes \
		--upgrade --all-extras --group dev --group docs --group release pyproject.toml --output-file requirements-dev.txt

bench: $(VENV)/.ready  ## measure, and renew the figures in docs/
	$(BIN)/python -m tests.benchmarks --write

sabotage: $(VENV)/.ready  ## break each promise in a copy, and see that a test notices
	$(BIN)/python -m tests.sabotage

interleavings: $(VENV)/.ready  ## try every schedule of every two operations, on each database
	$(BIN)/python -m tests.interleavings

mutation: $(VENV)/.ready  ## change each line of the pure modules, and see that a test notices
	$(BIN)/python -m tests.mutation

docs: $(VENV)/.ready  ## build the documentation site into docs/_build
	$(BIN)/python -m sphinx -W --keep-going -q -b html -d docs/_build/doctrees docs docs/_build/html
	@echo docs/_build/html/index.html

versions: $(VENV)/.ready  ## run the core of the tests on each Python, with old and new dependencies
	$(BIN)/python -m tests.packaging.versions

oldest: $(VENV)/.ready  ## run the core of the tests with the oldest dependencies that we name
	$(BIN)/python -m tests.packaging.versions --oldest

screenshots: $(VENV)/.ready  ## renew the screenshots in docs/images/
	$(BIN)/python -m docs.screenshots
	$(BIN)/python -m tests.pages.screenshots
	$(BIN)/python -m tests.staff.screenshots
	$(BIN)/python docs/simulator_screenshots.py

clean:  ## remove what the commands above have made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache docs/_build
