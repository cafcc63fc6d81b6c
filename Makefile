# The only entry to every task; CI calls the same targets. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV := .uv/bin/uv
BIN := .venv/bin
MEMBERS := $(wildcard libs/*) $(wildcard services/*)
SOURCES := $(wildcard libs/*/src) $(wildcard services/*/src)
PROTOS := $(shell find protos -name '*.proto')
# Built once, from its Go module, and kept outside of the checkout.
HELM_VERSION := 3.18.4
HELM := $(HOME)/.cache/weirworks/bin/helm-$(HELM_VERSION)
# Narrow a run: make test S=router K=plan
S ?=
K ?=
PYTEST := $(BIN)/python -m pytest $(if $(K),-k "$(K)")
UNIT := $(if $(S),$(wildcard libs/weirworks-$(S)/tests services/$(S)/tests),$(wildcard libs/*/tests services/*/tests))

say = @printf '==> %s\n' "$(1)"

##@ Setup
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready ## Install everything into .venv, from the hashed lock

$(UV): requirements-uv.txt
	$(call say,bring uv)
	@rm -rf .uv
	@if $(PYTHON) -m venv .uv >/dev/null 2>&1; then .uv/bin/python -m pip install -q --require-hashes -r requirements-uv.txt; \
	 else rm -rf .uv; $(PYTHON) -m pip install -q --require-hashes --target .uv -r requirements-uv.txt; fi
	@touch $(UV)

.venv/.synced: $(UV) requirements.lock
	$(call say,install third-party packages)
	@test -x $(BIN)/python || $(UV) venv -q --python $(PYTHON) .venv
	@$(UV) pip sync -q --python $(BIN)/python --require-hashes requirements.lock
	@touch $@

.venv/.ready: .venv/.synced $(MEMBERS:%=%/pyproject.toml) $(PROTOS) libs/weirworks-protos/build_stubs.py
	$(call say,install the workspace)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation $(MEMBERS:%=-e ./%)
	@touch $@

protos: setup ## Build the stubs from protos/, lint them, and compare them with main
	$(call say,lint protos (buf))
	@$(BIN)/buf lint
	@if git rev-parse -q --verify main >/dev/null && git cat-file -e main:buf.yaml 2>/dev/null; then \
	 printf '==> compare protos with main (buf)\n'; $(BIN)/buf breaking --against '.git#branch=main'; \
	 else printf '==> no branch main to compare the protos with\n'; fi

models: setup ## Build the ONNX models into models/
	$(call say,build the models)
	@$(BIN)/python -m weirworks_models models

lock: $(UV) ## Write the hashed locks anew
	@$(UV) lock -q
	@$(UV) export -q --all-packages --all-groups --extra cpu --extra genai --extra demo --extra oip --no-emit-workspace --no-header -o requirements.lock
	@for s in router cache telemetry autoscaler; do $(UV) export -q --package weirworks-$$s --no-default-groups --no-emit-workspace --no-header -o services/$$s/requirements.lock; done
	@$(UV) export -q --only-group build --no-emit-workspace --no-header -o requirements-build.lock
	@$(UV) export -q --package weirworks-models --no-default-groups --no-emit-workspace --no-header -o requirements-models.lock
	@for e in cpu gpu; do $(UV) export -q --package weirworks-inference --extra $$e --no-default-groups --no-emit-workspace --no-header -o services/inference/requirements-$$e.lock; done

clean: ## Remove everything that was built
	rm -rf .venv .uv typings models out build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

##@ Check
check: lint types imports protos docs test ## All that CI runs and more

chart: setup $(HELM) ## Render the chart into deploy/k8s/base
	@$(BIN)/python deploy/render.py $(HELM)

$(HELM):
	$(call say,build helm with go; minutes the first time)
	@mkdir -p $(dir $(HELM)) && GOBIN=$(dir $(HELM)) go install helm.sh/helm/v3/cmd/helm@v$(HELM_VERSION) && mv $(dir $(HELM))helm $(HELM)

fmt: setup ## Format the code
	@$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .

lint: setup ## Lint the code
	$(call say,lint (ruff))
	@$(BIN)/ruff check -q . || { echo 'again: make lint; many are mended by: make fmt'; exit 1; }
	@$(BIN)/ruff format -q --check . || { echo 'mended by: make fmt'; exit 1; }

typings/.ready: .venv/.synced
	@mkdir -p typings
	@P=$$($(BIN)/python -c 'import google.rpc; print(list(google.rpc.__path__)[0].removesuffix("google/rpc"))') && \
	 $(BIN)/python -m grpc_tools.protoc -I$$P --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --mypy_out=typings \
	 $$P/google/rpc/status.proto $$P/google/rpc/error_details.proto $$P/google/rpc/code.proto 2>/dev/null
	@touch $@

types: setup typings/.ready ## Check the types, strictly
	$(call say,types (mypy))
	@$(BIN)/mypy --no-error-summary $(SOURCES)

imports: setup ## Check who imports whom
	$(call say,imports (import-linter))
	@$(BIN)/lint-imports --no-logo >build-imports.log 2>&1 && rm build-imports.log || { cat build-imports.log; rm build-imports.log; exit 1; }

docs: setup ## Write the generated parts of the docs anew
	$(call say,docs)
	@$(BIN)/python docs/generate.py

test: setup models ## Run all tests
	$(call say,unit and component tests)
	@$(PYTEST) $(UNIT) tests/repository
	@if [ -z "$(S)" ]; then printf '==> %s\n' 'interop, chart and fuzz tests'; $(PYTEST) tests/interop tests/deploy tests/fuzz tests/gpu; \
	 printf '==> %s\n' 'tests on a real Kubernetes control plane; without its binary, 7 minutes to build it'; \
	 $(PYTEST) tests/cluster; printf '==> %s\n' 'system tests'; $(PYTEST) tests/system; fi

bench: setup models ## Measure CPU time per request: make bench ONLY=inference JSON=out.json PEER=name=host:port@pid
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON)) $(if $(PEER),--peer $(PEER))

fuzz: setup ## Send a hundred thousand mutated requests to an inference server
	@$(BIN)/python -m tests.fuzz $(if $(COUNT),--count $(COUNT))

##@ Run
demo: setup models ## Show the main job on real input
	@$(BIN)/weir demo

up: setup models ## Start the suite in the background
	@mkdir -p out; nohup $(BIN)/weir up >out/up.log 2>&1 & \
	 for i in $$(seq 300); do grep -q '^ready' out/up.log 2>/dev/null && break; kill -0 $$! 2>/dev/null || break; sleep 0.2; done; cat out/up.log; grep -q '^ready' out/up.log

down: setup ## Stop the suite that make up started
	@$(BIN)/weir down

load: setup ## Send a minute of pictures to the running suite
	@$(BIN)/weir load

.PHONY: help setup protos models lock clean check fmt lint types imports docs chart test bench fuzz demo up down load
