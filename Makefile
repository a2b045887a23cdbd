# `make run` shows it at work; `make test` checks everything. Both need only python3 (3.11 or later).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SHOWN := $(VENV)/.shown

.PHONY: run test check bench soak

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
