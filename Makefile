# `make` alone lists what can be made. The set-up needs Python 3.11 or newer, and compiles llama.cpp
# where there is a C++ compiler.
PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))

# Two test processes share two cores: one thread each, or they wait for one another.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PARALLEL := -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup update teacher hub offline-kit offline-kit-test slides grade-all rebuild lab check chat accept class \
	test lint unit notebook-tests class-notebooks reruns fuzz nano evaluate bench notebooks site \
	pictures environment requirements clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lab: setup ## set up if need be, then open the course in JupyterLab
	$(BIN)/python -m jupyterlab $(LAB_OPTIONS) notebooks/00_start_here.ipynb

check: setup ## look whether this machine can run the course
	$(BIN)/python -m course_utils.installation.selftest

chat: setup ## plan a model for this machine, bring it, and talk to it: make chat MODEL=qwq-32b
	$(BIN)/python -m course_utils.chat "$(MODEL)" $(OPTIONS)

accept: setup ## check a downloaded model against the course's numbers: make accept MODEL=qwq-32b
	$(BIN)/python -m course_utils.chat.accept "$(MODEL)"

class: setup ## serve one model to a whole class: make class MODEL=nano-thinker LEARNERS=30
	$(BIN)/python -m course_utils.classroom serve $(MODEL) \
		$(if $(LEARNERS),--learners $(LEARNERS)) $(OPTIONS)

test: lint unit notebook-tests ## run everything that must pass

lint: setup ## look for slips in the code and its layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

unit: setup teacher ## run the tests of course_utils
	$(ONE_THREAD) $(BIN)/python -m pytest -q $(PARALLEL) --no-loadscope-reorder tests

notebook-tests: setup ## run every notebook and compare its outputs
ifeq ($(NOTEBOOKS),)
	@echo "notebooks/ holds no notebook yet: nothing to compare."
else
	$(ONE_THREAD) COURSE_SHORT_RUNS=1 $(BIN)/python -m pytest -q $(PARALLEL) --nbval --nbval-current-env \
		-p tests.nbval_patience --nbval-sanitize-with tests/sanitize.cfg $(NOTEBOOKS)
endif

class-notebooks: setup ## run every notebook with COURSE_MODEL set to a class server
	$(ONE_THREAD) $(BIN)/python -m tests.notebooks_in_class

reruns: setup ## run every notebook three times, each time with every third cell twice
	$(ONE_THREAD) COURSE_RERUNS=all $(BIN)/python -m pytest -q $(PARALLEL) tests/test_notebooks_played.py

fuzz: setup ## try random inputs for ten minutes: make fuzz MINUTES=10 SEED=1
	$(ONE_THREAD) $(BIN)/python -m tests.fuzz $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(SEED),--seed $(SEED))

nano: setup ## train, export and measure all nano models again, and run the missing experiments
	$(BIN)/python -m course_utils.nano.make
	$(BIN)/python -m course_utils.nano.experiments
	$(BIN)/python -m course_utils.agents.experiments

evaluate: setup ## ask a model the course's own benchmark: make evaluate MODEL=nano-thinker
	$(BIN)/python -m course_utils.evaluation $(MODEL)

bench: setup ## measure the speeds that the course states
	$(BIN)/python -m tests.benchmarks

notebooks: setup ## run all notebooks and keep their fresh outputs
	$(ONE_THREAD) $(BIN)/python -m nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.kernel_name=python3 --ExecutePreprocessor.record_timing=False \
		--ExecutePreprocessor.store_widget_state=False $(NOTEBOOKS)

site: setup ## build the course as a site in _site/, with its models running in the page
	$(BIN)/python docs/build.py

pictures: setup ## make the pictures of the README and of the site's widgets again
	PYTHONPATH=. $(BIN)/python docs/pictures.py

environment: setup ## write environment.yml (conda) from pyproject.toml
	$(BIN)/python -m course_utils.installation.environment

# uv keeps the versions that requirements.txt already names; UPGRADE=--upgrade takes the newest.
# The CUDA packages of PyTorch's default build on Linux are left out: the course runs on the CPU.
requirements: setup ## pin every package in requirements.txt, for all systems
	$(BIN)/python -m uv pip compile $(UPGRADE) --universal --python-version 3.11 \
		--group test --group setup --group evaluation --group classroom --group site --no-annotate \
		--no-header --quiet --output-file requirements.txt pyproject.toml
	sed -i.old -E "/^(nvidia-|cuda-|triton=)|== 'emscripten'/d" requirements.txt
	rm requirements.txt.old
	$(BIN)/python -m uv pip compile $(UPGRADE) --universal --python-version 3.11 \
		--extra teaching --constraint requirements.txt --no-annotate --no-header --quiet \
		--output-file requirements-teaching.txt pyproject.toml
	$(BIN)/python -m course_utils.installation.teaching --only-new-pins

update: setup ## bring the course's newest version, and keep your answers, outputs and notes
	$(BIN)/python -m course_utils.installation.update
	@$(MAKE) --no-print-directory setup

teacher: setup ## install what teachers need: marking, merging of notebooks, a hub
	@$(BIN)/python -m course_utils.installation.teaching

hub: teacher deploy/node_modules ## start a JupyterHub for a class on this machine
	PYTHONPATH=. .venv/teaching/$(notdir $(BIN))/python -m jupyterhub --config deploy/jupyterhub_config.py

deploy/node_modules: deploy/package-lock.json
	cd deploy && npm ci --no-audit --no-fund
	touch $@

offline-kit: setup ## pack the course for a room without a network: make offline-kit KIT=/media/stick/kit
	$(BIN)/python -m course_utils.installation.offline_kit $(or $(KIT),runs/offline-kit)

offline-kit-test: setup ## make a kit, install it where there is no network, and run the self-test
	rm -rf runs/kit-test && mkdir -p runs
	$(BIN)/python -m course_utils.installation.offline_kit runs/kit-test/kit
	unshare --net $(PYTHON) runs/kit-test/kit/install.py runs/kit-test/course
	rm -rf runs/kit-test

slides: setup deploy/node_modules ## make slides for the projector from each notebook, in runs/slides
	$(BIN)/python -m course_utils.marking.slides runs/slides $(NOTEBOOKS)

grade-all: teacher ## grade all notebooks of four made-up learners: right, wrong, broken, endless
	$(ONE_THREAD) $(BIN)/python -m tests.marking.matrix

rebuild: ## compile llama.cpp again, for this processor
	$(PYTHON) course_utils/installation/bootstrap.py --rebuild

setup:
	@$(PYTHON) course_utils/installation/bootstrap.py

clean: ## remove .venv and everything that was made; models stay
	rm -rf .venv _site docs/node_modules *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf
