# `make demo` and `make test` set up a fresh machine by themselves; `make help`
# lists the rest. Settings: PYTHON (the interpreter a new .venv is made from),
# DATA (cifar10 or shapes), RECIPE, EPOCHS, SEED, BENCH (options of `make bench`).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The demo keeps its class apart from the instructor's own course.
GRADER := $(BIN)/python -m autograder --course autograder/course/demo
SEED ?= 0
ASSIGNMENTS := $(notdir $(wildcard solutions/*))

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint book pdf exercises grade train bench serve clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | \
	  awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

# One stamp: the environment is made again only when what it is made from changes.
$(READY): requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + \
	  ": give another one with PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -e .
	@touch $@

setup: $(READY)  ## make .venv from requirements.txt

demo: $(READY)  ## set up, build the book, release, grade a sample class, say where to look
	@echo "1/5 the book";               $(BIN)/python -m book.build
	@echo "2/5 the exercises";          $(BIN)/python -m autograder release
	@echo "3/5 a sample class";         $(GRADER) sample-class --demo
	@echo "4/5 grading";                $(GRADER) grade ps2_convolution
	@echo "5/5 feedback and a report";  $(GRADER) feedback && $(GRADER) report

test: $(READY)  ## all tests
	$(BIN)/ruff check .
	git ls-files -z | xargs -0 $(BIN)/codespell
	# One BLAS thread a process: two test processes already use two cores.
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadgroup

lint: $(READY)  ## style and spelling only
	$(BIN)/ruff check .
	git ls-files -z | xargs -0 $(BIN)/codespell

book: $(READY)  ## build the book into book/_build/html
	$(BIN)/python -m book.build

pdf: $(READY)  ## the whole book as one PDF, by Chromium
	$(BIN)/python -m book.pdf

exercises: $(READY)  ## make exercises/ and the public checks again from solutions/ and the hidden tests
	$(BIN)/python -m autograder release

grade: $(READY)  ## grade what is in autograder/course/submitted
	$(BIN)/python -m autograder grade $(ASSIGNMENTS)

train: $(READY)  ## train the classifier: DATA=cifar10|shapes RECIPE=... EPOCHS=... SEED=...
	$(BIN)/python -m convlab.train $(if $(DATA),--data $(DATA)) $(if $(RECIPE),--recipe $(RECIPE)) \
	  --seed $(SEED) $(if $(EPOCHS),--epochs $(EPOCHS))

bench: $(READY)  ## how fast the layers are, beside PyTorch's: BENCH="--only shapes"
	$(BIN)/python -m benchmarks $(BENCH)

serve: $(READY) book  ## read the book at http://localhost:8000
	$(BIN)/python -m http.server --directory book/_build/html 8000

clean:  ## remove what was built (not .venv, not trained runs, not submissions)
	rm -rf book/_build build
