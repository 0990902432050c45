# Needs python3 >= 3.11 with venv, and make. The rest is installed into .venv on first use.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test sweep check run picture bench clean

demo: .venv/dev  ## a whole world to try it in; SCRIPT=1 plays the story and checks it
	$(BIN)/python -m tests.sandbox $(if $(SCRIPT),--script)

test: check  ## everything that CI runs
	$(BIN)/python -m pytest -n 2 --dist worksteal

sweep: .venv/dev  ## the sweeps of faults and deaths that take longer: a quarter of an hour
	$(BIN)/python -m pytest -n 2 --dist worksteal -m long

check: .venv/dev  ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy

run: .venv/run  ## the bot itself
	$(BIN)/python bot.py

picture: .venv/dev  ## the README's pictures, drawn from the product
	$(BIN)/python -m tests.sandbox.picture docs/card.png docs/ticket.png

bench: .venv/dev  ## the figures of benchmarks/README.md
	$(BIN)/python -m benchmarks

.venv/run: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/dev: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@ .venv/run

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
