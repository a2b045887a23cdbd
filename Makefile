# `make run` shows it at work; `make test` checks everything; `make docs` makes the site of the
# documentation. All need only python3 (3.11 or later).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SHOWN := $(VENV)/.shown

.PHONY: run test check bench soak docs pictures

run: $(SHOWN)
	@exec $(BIN)/python -m daemon.demo.main

# Most tests wait for processes, so three at a time keep two cores busy; and those processes start
# in half the time where Python may keep its bytecode.
test: check
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -q -n 3 --dist worksteal

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m tests.house.sentences
	$(BIN)/mypy
	$(BIN)/lint-imports

# The site is made without the network, and loads nothing from elsewhere.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html; for its search: python3 -m http.server -d site"

# What the browser sees of the console, for the documents.
pictures: $(STAMP)
	PICTURES=1 $(BIN)/python -m pytest -q tests/daemon/console/test_first_look.py

bench: $(STAMP)
	$(BIN)/python -m tests.bench

soak: $(STAMP)
	SOAK=1 $(BIN)/python -m pytest -q -m "" -o timeout=3600

# What `make run` shows needs less than the checks do.
$(SHOWN): extras = export,console
$(STAMP): extras = dev
$(STAMP) $(SHOWN): pyproject.toml
	@echo "Installing into $(VENV), which takes a minute or two ..." >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[$(extras)]'
	@touch $@ $(SHOWN)
