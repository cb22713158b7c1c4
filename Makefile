# Two commands matter: `make quickstart` and `make test`. Both set everything up first, from the lock file, into .venv.
SHELL := /bin/bash
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
BIN := .venv/bin

.PHONY: quickstart test check format bench lock clean

# pip compiles bytecode while it installs; without it importing TensorFlow costs three times as much.
.venv/installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q benchmark backbones datasets
	touch $@

lock:
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file requirements.lock

quickstart: .venv/installed
	$(BIN)/python -m benchmark -m experiment=quickstart

test: .venv/installed
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Measures against plain Keras: make bench [DATA=DIR] [WEIGHTS=FILE] [ONLY="heads sweeps"] [PROFILE=1] [QUICK=1]
bench: .venv/installed
	$(BIN)/python tests/performance/speed.py $(if $(DATA),--data $(DATA)) $(if $(WEIGHTS),--weights $(WEIGHTS)) \
		$(if $(ONLY),--only $(ONLY)) $(if $(PROFILE),--profile) $(if $(QUICK),--quick)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
