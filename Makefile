# Every target sets up what it needs; the only requirement is Python 3.11 or newer.
VENV := .venv
BIN := $(VENV)/bin
# The peers that are measured beside the service stay out of the environment that is used.
BENCH_VENV := .venv-bench
# The lowest packages that pyproject.toml allows, as they were resolved last.
FLOORS_VENV := .venv-floors
FLOORS_LOCK := var/floors.lock
BENCH_LOCK := tests/benchmarks/requirements.lock
PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& echo $$candidate && break; done)
DEMO ?=
ROUNDS ?= 1
ENGINE ?= all
QUICK ?=
# Two processes, each with servers of its own, take half the time. `make test AT_ONCE=` runs one.
AT_ONCE ?= --numprocesses 2 --dist loadfile
# The engines of the README and the walls between tenants take minutes; they ran on version 18.
ON_OTHER_DATABASES := tests/contracts tests/end_to_end --ignore=tests/end_to_end/test_consumers.py \
	--ignore=tests/end_to_end/test_tenant_walls.py
NODE_LOCK := tests/system/node/package-lock.json
# Apart, since they bring pydantic: dependency-injector imports it where it is, which makes starts slow.
CLIENTS_LOCK := tests/system/clients/requirements.lock
POSTGRES_15 := /usr/lib/postgresql/15/bin
FLOORS_TESTS := tests/domain tests/application tests/adapters tests/contracts tests/entrypoints \
	tests/end_to_end tests/packaging tests/test_architecture.py
PACKAGES := .package domain application adapters entrypoints tests

.DEFAULT_GOAL := help
.PHONY: help run test test-system test-floors crash-test bench check format lint types imports lock clean

# A command runs with its environment locked: none is replaced while another make uses it.
locked = $(or $(PYTHON),$(BIN)/python) .package/locked.py
use = $(locked) shared $(VENV)
use_floors = $(locked) shared $(FLOORS_VENV)
use_bench = $(locked) shared $(BENCH_VENV) $(use)

pin = $(use) $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	--no-header --no-emit-index-url $(addprefix --extra ,$(1))

# A virtual environment at $(@D) with what $< pins, and the project. Once it has the lock, make asks
# again whether it is still needed: another make may have installed it meanwhile.
install = $(if $(filter $(@D),$(LOCKED)),$(install_now),$(install_locked))

define install_locked
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or newer is needed and none was found; install one or name it: make PYTHON=/path/to/python" >&2; \
		exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) lacks venv; install it (on Debian and Ubuntu: apt install python3-venv)" >&2; \
		exit 1; }
	@$(locked) exclusive $(@D) $(MAKE) --no-print-directory --silent LOCKED=$(@D) $@
endef

define install_now
	@echo "Installing into $(@D) (once; downloads about $(DOWNLOAD)) …"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps \
		--require-hashes --requirement $<
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	@# Byte-compiles what the command imports, even where the environment says not to: starts are fast.
	@env -u PYTHONDONTWRITEBYTECODE $(@D)/bin/automation-retry --version >/dev/null
	@touch $@
endef

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/installed ## serve a demo with its own database, and say how to use it
	@$(use) $(BIN)/automation-retry demo $(DEMO)

test: $(VENV)/installed ## run all tests, on real servers
	@$(use) $(BIN)/python -m pytest $(AT_ONCE)

test-system: $(VENV)/installed ## run what needs packages of the system: PostgreSQL 15, pgbouncer, Node and Chromium
	@missing=; \
	[ -x $(POSTGRES_15)/postgres ] || missing="$$missing postgresql-15"; \
	[ -x /usr/sbin/pgbouncer ] || missing="$$missing pgbouncer"; \
	command -v openssl >/dev/null || missing="$$missing openssl"; \
	command -v node >/dev/null || missing="$$missing nodejs"; \
	command -v npm >/dev/null || missing="$$missing npm"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	[ -z "$$missing" ] || { echo "Packages are missing; install them: apt-get install$$missing" >&2; exit 1; }
	@cmp -s $(NODE_LOCK) var/node/installed || { mkdir -p var/node \
		&& cp $(NODE_LOCK) $(dir $(NODE_LOCK))package.json var/node/ \
		&& npm ci --prefix var/node --no-audit --no-fund --loglevel=error \
		&& cp $(NODE_LOCK) var/node/installed; }
	@cmp -s $(CLIENTS_LOCK) var/clients/installed || { $(PYTHON) -m venv --clear var/clients \
		&& var/clients/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
			--require-hashes --requirement $(CLIENTS_LOCK) \
		&& cp $(CLIENTS_LOCK) var/clients/installed; }
	@$(use) $(BIN)/python -m pytest tests/system
	@for database in 15 pgbouncer; do \
		$(use) $(BIN)/python -m pytest $(ON_OTHER_DATABASES) --database=$$database -k "not memory" $(AT_ONCE) || exit 1; done

test-floors: $(FLOORS_VENV)/installed ## lint, types, contracts and end-to-end tests on the lowest packages allowed
	@$(use_floors) $(FLOORS_VENV)/bin/ruff check --no-cache $(PACKAGES)
	@$(use_floors) $(FLOORS_VENV)/bin/mypy --cache-dir $(FLOORS_VENV)/mypy
	@$(use_floors) $(FLOORS_VENV)/bin/python -m pytest $(FLOORS_TESTS)

crash-test: $(VENV)/installed ## kill -9 everything, audit what was promised, and prove the audit (ROUNDS=1)
	@$(use) $(BIN)/python -m tests.crash --rounds $(ROUNDS) --engine $(ENGINE)
	@$(use) $(BIN)/python -m tests.crash --prove

bench: $(BENCH_VENV)/installed $(VENV)/installed ## measure it beside its peers and the limit, in half an hour (QUICK=1: in 3 minutes)
	@$(use_bench) $(BENCH_VENV)/bin/python -m tests.benchmarks --service $(BIN)/automation-retry $(if $(QUICK),--quick)

check: lint types imports test ## all that CI runs: format, lint, types, imports, tests

format: $(VENV)/installed ## format the code
	@$(use) $(BIN)/ruff format $(PACKAGES)
	@$(use) $(BIN)/ruff check --fix $(PACKAGES)

lint: $(VENV)/installed ## check format and lint
	@$(use) $(BIN)/ruff format --check $(PACKAGES)
	@$(use) $(BIN)/ruff check $(PACKAGES)

types: $(VENV)/installed ## check the types
	@$(use) $(BIN)/mypy

imports: $(VENV)/installed ## check that imports point down only
	@$(use) $(BIN)/lint-imports

lock: $(VENV)/installed ## pin the newest fitting packages, for use and for the benchmarks
	@$(use) $(BIN)/python -m pip install --quiet uv
	@$(call pin,dev) pyproject.toml -o requirements.lock
	@$(call pin,bench) --constraint requirements.lock pyproject.toml -o $(BENCH_LOCK)
	@$(call pin) $(CLIENTS_LOCK:.lock=.in) -o $(CLIENTS_LOCK)

clean: ## remove what make made: virtual environments, caches and the demo's data
	$(locked) exclusive $(VENV) $(locked) exclusive $(BENCH_VENV) $(locked) exclusive $(FLOORS_VENV) \
		rm -rf $(VENV) $(BENCH_VENV) $(FLOORS_VENV) var .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/installed: DOWNLOAD := 95 MB
$(VENV)/installed: requirements.lock pyproject.toml
	$(install)

$(FLOORS_LOCK): pyproject.toml | $(VENV)/installed
	@$(use) $(BIN)/python -m pip install --quiet uv
	@mkdir -p $(@D)
	@$(call pin,dev) --resolution lowest-direct pyproject.toml -o $@

$(FLOORS_VENV)/installed: DOWNLOAD := 95 MB
$(FLOORS_VENV)/installed: $(FLOORS_LOCK)
	$(install)

$(BENCH_VENV)/installed: DOWNLOAD := 75 MB
$(BENCH_VENV)/installed: $(BENCH_LOCK) pyproject.toml
	$(install)
