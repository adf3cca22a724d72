# The README's two commands. Each makes .venv and installs all it needs with plain pip.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: quickstart test browser lint docs clean

quickstart: $(VENV)/.quickstart
	HF_HUB_OFFLINE=1 $(BIN)/zoo build --all --suite quickstart
	HF_HUB_OFFLINE=1 $(BIN)/zoo board
	HF_HUB_OFFLINE=1 $(BIN)/zoo tag --model builds/checkpoints/minilm-l6/sample-disease \
		"She was treated for type 2 diabetes and chronic kidney disease."

test: $(VENV)/.dev browser
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --durations=10

# The tests of the leaderboard need Chromium; without it they are skipped.
browser:
	@command -v chromium google-chrome >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
		|| echo "no Chromium: install it (apt-get install chromium), or the browser tests are skipped"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.dev
	$(BIN)/python docs/build.py builds/docs

clean:
	rm -rf $(VENV) builds

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.quickstart: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e ".[quickstart]"
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e ".[dev]"
	touch $@
