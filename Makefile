# Set-up, quickstart and tests. Everything is installed into .venv in this checkout; `make setup` does what is missing.

BIN := .venv/bin
IS_SUPPORTED := import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3 python3.11 python3.12 python3.13; do \
	"$$name" -c '$(IS_SUPPORTED)' 2>/dev/null && echo "$$name" && break; done)
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check

.PHONY: help setup quickstart test slow interoperability engines lint lock

help:
	@echo "make quickstart   from raw text to a served model in under 10 minutes, after the install"
	@echo "make test         the tests; arguments for pytest: make test ARGS='tests/text -x -n 0'"
	@echo "make slow         the tests that take long: many kills, large comparisons"
	@echo "make interoperability   checks against PyTorch and transformers, in an environment of their own (.venv-torch)"
	@echo "make engines      OpenVINO and ONNX Runtime into .venv, and the tests of serving with them"
	@echo "make setup        the install alone; another Python: make setup PYTHON=/path/to/python3.12"
	@echo "make lint         ruff over all code"
	@echo "make lock         renew requirements.lock from setup.py"

setup: .venv/installed

quickstart: setup
	@$(BIN)/python experiments/quickstart.py $(ARGS)

test: setup
	@$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile $(ARGS)

slow: setup
	@$(BIN)/python -m pytest -m slow $(ARGS)

interoperability: setup .venv-torch/installed
	@$(BIN)/python -m pytest -m interoperability $(ARGS)

engines: setup
	@$(PIP_INSTALL) --no-build-isolation --editable ".[openvino,onnx]"
	@$(BIN)/python -m pytest tests/serving $(ARGS)

lint: setup
	@$(BIN)/ruff check .

.venv/installed: requirements.lock setup.py pyproject.toml
	@"$(PYTHON)" -c '$(IS_SUPPORTED)' 2>/dev/null || { \
		echo "PYTHON='$(PYTHON)' is no Python 3.11, 3.12 or 3.13 with venv; install one or name it: make setup PYTHON=/path/to/python3.12" >&2; exit 2; }
	@echo "Installing into .venv: about 1 GB to download the first time, 2.6 GB on disk."
	@"$(PYTHON)" -m venv .venv
	@# Wheels only, so that no compiler is needed; promise has no wheel and is pure Python.
	@$(PIP_INSTALL) --require-hashes --only-binary :all: --no-binary promise -r requirements.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@# Fused operations for training; without a compiler it says so, and training takes TensorFlow's own.
	@TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m electra_tf.kernels.build
	@touch $@

# TORCH_ARGS is for pip: an index that has CPU wheels of torch saves 2 GB where the usual one has only those for GPUs.
.venv-torch/installed: requirements-torch.txt
	@echo "Installing PyTorch and transformers into .venv-torch."
	@$(BIN)/python -m venv .venv-torch
	@.venv-torch/bin/python -m pip install --disable-pip-version-check $(TORCH_ARGS) -r requirements-torch.txt
	@touch $@

lock:
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@$(PIP_INSTALL) --quiet "uv>=0.9,<1"
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --extra test --upgrade \
		--custom-compile-command "make lock" --output-file requirements.lock setup.py
