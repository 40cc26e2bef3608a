# `make ablation` and `make test` do all the set-up they need.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# folders of real data; the tests that need one that is not given are listed as skipped
DEAM       ?= $(MUSEMO_DEAM)
PRETRAINED ?= $(MUSEMO_PRETRAINED)
# the index of a CPU build of torch, where pip would fetch one for CUDA: https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
JOBS        ?= 2
PIP         := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
DATA        := $(if $(DEAM),--deam $(DEAM)) $(if $(PRETRAINED),--pretrained $(PRETRAINED))
# two processes share the cores: threads of each beside would wait for one another
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile
export HF_HUB_DISABLE_TELEMETRY := 1
export GRADIO_ANALYTICS_ENABLED := False

.PHONY: install browser ffmpeg ablation test test-slow test-end-to-end reliability bench gpu gpu-wheels quality style demo docs

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[test]"
	$(BIN)/python -c "import librosa.onset" # compiles once, before several processes would at the same time
	touch $@

# what the ablation needs and no more: nothing for tests, pages, the Space or a cluster
$(VENV)/.ablation: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing torch, transformers and the rest into $(VENV): a minute or so, with a fast network"
	$(PIP) --no-compile -e .
	touch $@

# The browser test needs a chromium; where there is none, Debian's is installed, or the reader is told to.
browser:
	@command -v chromium chromium-browser >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium >/dev/null; } || \
	  { echo "make test needs chromium for the browser test: install it, e.g. sudo apt-get install chromium"; exit 1; }

# The tests of decoding make their own files with ffmpeg, in the same way.
ffmpeg:
	@command -v ffmpeg >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y ffmpeg >/dev/null; } || \
	  { echo "make test needs ffmpeg for the tests of decoding: install it, e.g. sudo apt-get install ffmpeg"; exit 1; }

ablation: $(VENV)/.ablation
	$(BIN)/accelerate launch --num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no training/ablate.py --jobs $(JOBS)

# a test that hangs is ended, and says where it was
test: install browser ffmpeg
	$(PYTEST) tests $(DATA) --timeout 600 --timeout-method thread

test-slow: install browser ffmpeg
	$(PYTEST) tests --run-slow $(DATA)

test-end-to-end: install
	$(PYTEST) tests/scripts --run-slow

# the long forms of the tests that count what survives, and the page of their counts; it fails where something was lost
reliability: install browser ffmpeg
	rm -f runs/reliability.xml
	MUSEMO_FUZZ=long $(PYTEST) tests --reliability --junitxml=runs/reliability.xml; status=$$?; \
	  $(BIN)/python -m benchmarks.reliability runs/reliability.xml docs/reliability.md && exit $$status

bench: install
	$(BIN)/python -m benchmarks $(if $(DEAM),--deam $(DEAM))

# what only a GPU can show, in under nine minutes and without a network; training/gpu_session.py explains the variables
MINUTES ?= 3
OUT     ?= runs/gpu
gpu:
	$(PYTHON) training/gpu_session.py --minutes $(MINUTES) --output-dir $(OUT) \
	  $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT)) $(GPU_ARGS) $(if $(TRAIN),-- $(TRAIN))

# the wheels that a machine with torch, transformers and accelerate lacks
GPU_PYTHON   ?= 3.12
GPU_PLATFORM := manylinux_2_28_x86_64 manylinux_2_27_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64 manylinux1_x86_64
gpu-wheels:
	$(PYTHON) -m pip download --quiet --no-deps --only-binary=:all: --python-version $(GPU_PYTHON) --implementation cp \
	  $(addprefix --platform ,$(GPU_PLATFORM)) -d build/wheels -c constraints.txt -r training/gpu-requirements.txt

quality: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

style: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# the site, in build/site; a broken link is an error
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean

demo: install
	$(BIN)/python spaces_demo/app.py
