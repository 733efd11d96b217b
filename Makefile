# One command a need: make demo, make test, make check. Everything lands in .venv.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TARGET ?= payload
SECONDS ?= 60
# Programs start faster when they find modules compiled; an environment that forbids it is overruled.
export PYTHONDONTWRITEBYTECODE :=
LOCK := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-quick prove check docs chaos bench fuzz audit screens golden format lock base-images clean

help:  ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv with the app and its development tools

$(READY): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, e.g. make PYTHON=python3.12")'
	@echo 'Installing into .venv. This takes about a minute, the first time only.'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)  ## run the sandbox portal, the sandbox Slack and the bot; prints the page's address
	@$(BIN)/billing-bot demo

test: $(READY)  ## run all tests (Chromium's too where it is there or can be installed)
	@sh tests/support/chromium.sh
	@# Three at a time on two cores: a fourth is no faster, and delays acknowledgements that are timed.
	$(BIN)/python -m pytest -n 3 --dist worksteal

test-quick: $(READY)  ## the tests that need no killed, paused or replicated process, no browser and no image
	QUICK=1 $(BIN)/python -m pytest -n 5 --dist worksteal --ignore tests/crash --ignore tests/replicas --ignore tests/chaos \
		--ignore tests/outages --ignore tests/browser --ignore tests/deploy -m "not terminal_client"

prove: $(READY)  ## what draws many cases, with all of them; `make check` runs a sample
	PROVE=1 $(BIN)/python -m pytest -n 3 --dist worksteal tests/bot/domain tests/bot/portal tests/bot/storage \
		tests/blocks tests/fuzz tests/crash tests/replicas tests/scenarios

check: $(READY)  ## format, lint, types, architecture, deployment files, docs and all tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry --no-ansi .
	$(BIN)/hadolint Dockerfile
	$(BIN)/yamllint --strict --config-data '{extends: default, rules: {line-length: {max: 120}, document-start: disable}}' \
		compose.yaml docs/deploy
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/kubernetes-validate --strict --quiet --kubernetes-version 1.30 docs/deploy/kubernetes/*.yaml
	$(MAKE) --no-print-directory docs test

docs: $(READY)  ## build the documentation as a site in .site, strict about links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

chaos: $(READY)  ## 200 purchases over three replicas in a storm of three minutes; prints the table
	$(BIN)/python -m tests.chaos $(CHAOS)

bench: $(READY)  ## measure speed beside other figures; prints the table and writes docs/performance.md
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[bench]' \
		|| { echo "DBOS, which is measured beside it, cannot be installed here"; exit 1; }
	$(BIN)/python -m tests.benchmarks $(ROWS)

fuzz: $(READY)  ## search for bytes that break a target, by atheris; make fuzz TARGET=portal SECONDS=60
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[fuzz]' \
		|| echo 'atheris cannot be installed here; `make test` runs the same targets under hypothesis'
	@mkdir -p .fuzz/$(TARGET)
	$(BIN)/python -m tests.fuzz $(TARGET) -max_total_time=$(SECONDS) -artifact_prefix=.fuzz/ .fuzz/$(TARGET)

audit: $(READY)  ## look the dependencies up in a public list of vulnerabilities (needs the network)
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3'
	.venv/audit/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements-deploy.lock

screens: $(READY)  ## take the pictures of docs/screens anew
	@sh tests/support/chromium.sh
	SCREENS=docs/screens $(BIN)/python -m pytest -q -m browser

golden: $(READY)  ## write the approved screens and docs/copy.md anew; then read the difference
	UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q tests/blocks/test_golden.py

format: $(READY)  ## rewrite the code as the checks want it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(READY)  ## resolve pyproject.toml into both lock files anew (needs uv)
	@echo '# Made by: make lock' | tee requirements.lock.new > requirements-deploy.lock.new
	$(LOCK) --extra dev pyproject.toml >> requirements.lock.new
	@# What a deployment is built from: the app's dependencies and the build's, in the same versions.
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(LOCK) --constraint requirements.lock.new pyproject.toml - >> requirements-deploy.lock.new
	@mv requirements.lock.new requirements.lock
	@mv requirements-deploy.lock.new requirements-deploy.lock

base-images:  ## pin the newest digests of the base images (needs Docker and the network); then build and test
	@for image in python:3.13-slim-trixie postgres:18-bookworm; do \
		digest=$$(docker buildx imagetools inspect "$$image" --format '{{.Manifest.Digest}}') || exit 1; \
		sed -i.old -E "s|$$image@sha256:[0-9a-f]+|$$image@$$digest|" Dockerfile compose.yaml; \
		rm -f Dockerfile.old compose.yaml.old; \
	done

clean:  ## remove everything that was made
	rm -rf .venv .site .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
