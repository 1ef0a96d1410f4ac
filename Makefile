# Every target sets up what it needs. RUNTIME=gpu uses onnxruntime-gpu.
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1
NEEDS := pyproject.toml requirements.lock requirements-dev.txt deploy/setup.sh
BIN := .venv/bin
SITE ?= sample_videos/roadway/site.yaml
RECORDING ?= $(shell ls -t build/demo/*.mcap 2>/dev/null | head -n 1)

.PHONY: help setup check fix demo test faults replay bench schemas sbom hashes package clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/ready-test ## install everything, also what the tests use

.venv/ready-demo: $(NEEDS)
	@deploy/setup.sh demo

.venv/ready-test: $(NEEDS)
	@deploy/setup.sh test

demo: .venv/ready-demo ## run the sample site and open the viewer
	@$(BIN)/lamproom demo $(ARGS)

test: .venv/ready-test ## run the tests
	@$(BIN)/pytest $(ARGS)

faults: .venv/ready-test ## kill, cut and stall parts for minutes (SIZE=release: hours)
	@LAMPROOM_FAULTS=$(or $(SIZE),long) $(BIN)/pytest -s tests/faults $(ARGS)

check: .venv/ready-test ## format, lint, types, import law
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: .venv/ready-test ## mend format and lint
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

replay: .venv/ready-demo ## play RECORDING into the viewer
	@$(BIN)/lamproom replay $(RECORDING) $(ARGS)

bench: .venv/ready-test ## measure; prints a table and writes build/bench.json
	@$(BIN)/python -m tests.bench $(ARGS)

schemas: .venv/ready-test ## write docs/wire and docs/http from the code
	@$(BIN)/python -m tests.write_schemas

sbom: .venv/ready-demo ## write what Lamproom is made of into build/sbom.json (CycloneDX)
	@$(BIN)/python -m edge.sbom build/sbom.json

hashes: .venv/ready-test ## write deploy/requirements.hashes anew from requirements.lock
	@$(BIN)/python deploy/write_hashes.py

package: .venv/ready-test ## build the wheel and the source package into dist/
	@$(BIN)/python -m build --installer pip -o dist .

clean: ## remove what was built (not .venv)
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
