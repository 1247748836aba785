# make i2r             install what is missing, then train a model (any folder with an MLproject)
# make i2r EPOCHS=5    any of EPOCHS, DS (data set) and OPTIONS ("-P batch_size=64 -P seed=1")
# make all EPOCHS=2    all models, one after the other, but those that need stars or morphologies (*2c, *2m)
# make table           compare the registered champions; write the table of the README
# make test            install with the test extra, then run the tests
# make faults          damage files and kill commands by the hundred, into docs/reliability.md (OPTIONS="--files 500")
# make bench           measure everything beside the naive way, into docs/benchmarks.md (OPTIONS="--quick")

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
MODELS := $(patsubst %/MLproject,%,$(wildcard */MLproject))
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet
PARAMETERS = $(if $(EPOCHS),-P epochs=$(EPOCHS)) $(if $(DS),-P ds="$(DS)") $(OPTIONS)

.PHONY: help test faults bench all table $(MODELS)

help:
	@sed -n 's/^# //p' Makefile

$(VENV)/installed: setup.py
	$(PYTHON) -m venv $(VENV)
	@echo "installing (about two minutes)"
	$(PIP) --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP) --editable ".[test]"
	@touch $@

$(MODELS): $(VENV)/installed
	PATH="$(abspath $(VENV))/bin:$$PATH" mlflow run $@ $(PARAMETERS) --no-conda

# The sample, and SDSS-GS, have galaxies only and no column morph10.
all: $(filter-out %2c %2m,$(MODELS))

table: $(VENV)/installed
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m common.compare --insert README.md

test: $(VENV)/installed-test
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m pytest $(OPTIONS)

faults: $(VENV)/installed-test
	cd tests && "$(abspath $(VENV))/bin/python" -m faults $(OPTIONS)

bench: $(VENV)/installed-test
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m benchmarks $(OPTIONS)
