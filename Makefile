# What a person types. Every target makes the virtual environment first when it is missing or out of date.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
PORT ?= 8000
WORKERS ?= 3
unexport PYTHONDONTWRITEBYTECODE  # the tests start hundreds of processes, each of which would compile every module anew
HASH := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
RUNS := $(VENV)/.installed-$(HASH)
TESTS := $(VENV)/.installed-dev-$(HASH)

.PHONY: demo run setup test test-fast recipes check bench pictures test-services clean
.DEFAULT_GOAL := help

help:  ## say what there is
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' Makefile | expand -t 16

demo: $(RUNS)  ## run the demo experiment and open the dashboard on 127.0.0.1:8000 (DEMO_ONCE=1: stop after it)
	@$(BIN)/mulberry demo --port $(PORT) $(if $(filter-out 0,$(DEMO_ONCE)),--once)

run: $(RUNS)  ## start the dashboard and a worker
	@$(BIN)/mulberry up --port $(PORT)

setup: $(RUNS)  ## make the virtual environment

test: $(TESTS) browser  ## run every test, a real browser included, in WORKERS=3 processes: two cores, and waits
	$(BIN)/pytest -n $(WORKERS) --durations=25

test-fast: $(TESTS)  ## run what needs neither a browser nor a running stack nor more than some seconds
	$(BIN)/pytest -n $(WORKERS) -m "not browser and not slow"

recipes: $(TESTS)  ## launch every research recipe at its tiny scale and check its table (RECIPES="a b": only these)
	$(BIN)/python -m tests.recipes $(RECIPES)

test-services: export DATABASE_URL ?= postgresql://postgres@127.0.0.1/postgres
test-services: export CELERY_BROKER_URL ?= amqp://guest:guest@127.0.0.1//
test-services: $(TESTS)  ## run what is about database and broker on the PostgreSQL and RabbitMQ of this machine
	@$(BIN)/python -m tests.services
	$(BIN)/pytest -m services

check: $(TESTS)  ## lint (Python, templates, JavaScript, CSS), types, directions of imports, migrations, deployment settings
	@$(MAKE) --no-print-directory -j2 lint types

.PHONY: lint types
types: $(TESTS)
	$(BIN)/mypy

lint: $(TESTS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/biome lint --error-on-warnings static
	$(NO_DATABASE) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(NO_DATABASE) MULBERRY_MODE=production MULBERRY_HOSTS=mulberry.example \
	DJANGO_SECRET_KEY=0123456789-check-only-abcdefghijklmnopqrstuvwxyz-ABCDEFGH \
	$(BIN)/python manage.py check --deploy --fail-level WARNING

bench: $(TESTS)  ## measure against the peers, which get a virtual environment of their own
	$(BIN)/python -m benchmarks

pictures: $(TESTS) browser  ## make every picture in docs/ from the running product: the demo, launched and watched (minutes)
	$(BIN)/python -m tests.pictures

# settings that reach no database and leave no file in var/
NO_DATABASE := MULBERRY_HOME=build/check DATABASE_URL="postgresql://none@/none?host=/nonexistent"

$(BIN)/python:
	@echo "making the virtual environment $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Mulberry needs Python 3.11 or newer; say which: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "no venv module; install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(RUNS): | $(BIN)/python
	@test -e $(TESTS) || { echo "installing Mulberry (torch is large: this takes minutes, once)"; \
	  $(BIN)/python -m pip install --quiet -c constraints.txt -e .; }
	@rm -f $(filter-out $(TESTS),$(wildcard $(VENV)/.installed-[0-9]*)) && touch $@

$(TESTS): | $(BIN)/python
	@echo "installing Mulberry and what its tests need (torch is large: this takes minutes, once)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@rm -f $(VENV)/.installed-* && touch $@ $(RUNS)

.PHONY: browser
browser:  # the headless shell is quicker than the whole browser, which will do where Debian has no such package
	@command -v chromium-headless-shell >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	  echo "installing Chromium for the browser tests" && apt-get update -qq >/dev/null && \
	  { apt-get install -y -qq chromium-headless-shell || apt-get install -y -qq chromium; } >/dev/null; } || \
	  command -v chromium chromium-browser google-chrome >/dev/null || \
	  { echo "the browser tests need Chromium; install the package chromium-headless-shell or chromium" >&2; exit 1; }

clean:  ## remove the virtual environment (not var/, which holds your experiments)
	rm -rf $(VENV) build *.egg-info
