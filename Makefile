# Everything a person types. Each command sets up what it needs and is quick when that is done.

PYTHON ?=
PORT ?= 8501
STUDIO_PORT ?= 2024
ARGS ?=
PY := .venv/bin/python
SMALL_MODEL := qwen2.5-coder-0.5b-instruct-q4_k_m

# What the caller's shell says about Python is not ours to inherit.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_USER PIP_TARGET PIP_PREFIX

.PHONY: help setup run test check bench studio lock readme

help: ## show these lines
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

setup: ## make .venv from requirements.lock
	@PYTHON="$(PYTHON)" sh scripts/setup.sh

run: setup ## open the app at http://localhost:8501 (PORT=... for another)
	@echo "Second Thought: http://localhost:$(PORT)  (Ctrl+C ends it)"
	@$(PY) -m streamlit run app.py --server.port $(PORT)

test: setup ## run all tests, those in a real browser too (ARGS="-k name" for some)
	@$(PY) -m scripts.find_browser
	@$(PY) -m workbench models fetch $(SMALL_MODEL)
ifeq ($(strip $(ARGS)),)
	@$(PY) -m pytest -n 2 --dist loadfile --durations=25 --ignore=tests/browser; first=$$?; \
	$(PY) -m pytest tests/browser && exit $$first
else
	@$(PY) -m pytest $(ARGS)
endif

check: setup ## ruff and mypy
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy

bench: setup ## measure, and print tables (ARGS=--help for its options)
	@$(PY) -m benchmarks $(ARGS)

studio: setup ## the machines in LangGraph's own dev server (STUDIO_PORT=2024); needs no account, sends no analytics
	@LANGGRAPH_CLI_NO_ANALYTICS=1 LANGSMITH_TRACING=false .venv/bin/langgraph dev --no-browser --port $(STUDIO_PORT)

readme: setup ## write the README's tables anew from the registries
	@$(PY) -m scripts.readme_tables

lock: setup ## write requirements.lock anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@sh scripts/lock.sh $(ARGS)
