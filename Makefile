# make b2r             install what is missing, make example, then train a model (any folder with an MLproject)
# make example         install what is missing, predict examples/galaxies.csv: redshift, ends of its 68 % interval, flag
# make b2r EPOCHS=5    any of EPOCHS, DS (data set) and OPTIONS ("-P batch_size=64 -P seed=1")
# make all EPOCHS=2    all models, one after the other, but those that need stars or morphologies (*2c, *2m)
# make sweep MODELS="b2r w2r"   explore batch size, optimizer and loss of these models (without MODELS: of all)
# make table           compare the registered champions; write the tables of docs/measured/scores.md
# make test            install with the extras test, clients and docs, then run the tests
# make docs            the documentation as a site in docs/_build/html (OPTIONS=--without-notebooks: notebooks are not executed)
# make coverage        run the tests and tell which lines and branches none of them reached (processes apart not counted)
# make rail            install with the extra rail, then run the zoo's stages in RAIL's own pipeline (a minute)
# make backbones       the tests that CI leaves out because they take minutes: all backbones, UMAP
# make lock            resolve requirements.lock anew (then run the tests with it)
# make test-locked     install exactly what requirements.lock says, by its hashes, then run the tests
# make test-oldest     install the oldest versions that setup.py allows, then run the tests
# make release         check that the version is the same everywhere, build sdist and wheel, try both in an empty folder
# make release VERSION=0.2.0   write a new version into sdss_gs, CHANGELOG.md and CITATION.cff first
# make audit           ask the data base of known vulnerabilities about requirements.lock
# make matrix          run the tests with each Python of PYTHONS that there is (3.11 to 3.13)
# make everything      all that takes hours, part after part, and one table of it (PARTS="docs release": some of it)
# make faults          damage files and kill commands by the hundred, into docs/measured/reliability.md (OPTIONS="--files 500")
# make weights SOURCES=DIR   make the models that ship with the zoo, from the files of weights/recipe.md (MODELS=b2r,s2r: some)
# make surveys SOURCES=DIR REAL=DIR   models on other surveys: before, adapted, retrained, into docs/measured/surveys.md (an hour)
# make fuzz            change files under the guidance of the lines they reach, a minute for each kind (Linux)
# make bench           measure everything beside the naive way, into docs/measured/benchmarks.md (OPTIONS="--quick")
# make profile         time of each kind of operation in a training step of the convolutional networks (docs/measured/profile.md)
# make bench-prediction BEFORE=COMMIT   measure engines and whole commands of two builds; add it to docs/measured/benchmarks.md

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
MODELS := $(patsubst %/MLproject,%,$(wildcard */MLproject))
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet
PARAMETERS = $(if $(EPOCHS),-P epochs=$(EPOCHS)) $(if $(DS),-P ds="$(DS)") $(OPTIONS)

.PHONY: help example weights surveys test docs coverage everything notebooks faults fuzz test-locked test-oldest lock audit release matrix rail backbones bench bench-prediction bench-training profile x2y-page all table sweep $(MODELS) $(MODELS:%=sweep-%)

help:
	@sed -n 's/^# //p' Makefile

$(VENV)/installed: setup.py sdss_gs/__init__.py
	$(PYTHON) -m venv $(VENV)
	@echo "installing (about two minutes)"
	$(PIP) --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP) --editable ".[test,clients,docs]"
	@touch $@

# Extras of all that any test needs.
TESTED = test,clients,docs,jax,rail,ray,umap
COMMA = ,

$(VENV)/installed-all: $(VENV)/installed-test
	$(PIP) --editable ".[$(TESTED)]"
	@touch $@

example: $(VENV)/installed
	PATH="$(abspath $(VENV))/bin:$$PATH" zoo predict b2r@shipped --input examples/galaxies.csv --output - | cut -d, -f1-4,9

$(MODELS): example
	PATH="$(abspath $(VENV))/bin:$$PATH" mlflow run $@ $(PARAMETERS) --no-conda

# The sample, and SDSS-GS, have galaxies only and no column morph10.
all: $(filter-out %2c %2m,$(MODELS))

$(MODELS:%=sweep-%): $(VENV)/installed
	PATH="$(abspath $(VENV))/bin:$$PATH" mlflow run $(@:sweep-%=%) -e sweep $(PARAMETERS) --no-conda

sweep: $(MODELS:%=sweep-%)

table: $(VENV)/installed
	PATH="$(abspath $(VENV))/bin:$$PATH" zoo compare --insert docs/measured/scores.md

test: $(VENV)/installed-test
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m pytest $(OPTIONS)

NOTEBOOKS = docs/_build/notebooks

docs: $(VENV)/installed-test
	$(if $(filter --without-notebooks,$(OPTIONS)),rm -rf $(NOTEBOOKS),$(VENV)/bin/python docs/notebooks/execute.py $(NOTEBOOKS))
	ZOO_NOTEBOOKS="$(abspath $(NOTEBOOKS))" $(VENV)/bin/python -m sphinx -W -q -d docs/_build/doctrees \
	    $(filter-out --without-notebooks,$(OPTIONS)) docs docs/_build/html
	@echo "docs/_build/html/index.html"

coverage: $(VENV)/installed-test
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m pytest --cov=common --cov=sdss_gs --cov-branch $(OPTIONS)

weights: $(VENV)/installed
	$(VENV)/bin/python -m weights "$(SOURCES)" $(if $(filter command line,$(origin MODELS)),--models "$(MODELS)")
	$(VENV)/bin/python -m weights.pages

surveys: $(VENV)/installed
	$(VENV)/bin/python -m benchmarks.surveys "$(SOURCES)" "$(REAL)" $(OPTIONS)

rail: $(VENV)/installed-test
	$(PIP) --editable ".[test,rail]"
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m pytest tests/elsewhere/test_rail.py $(OPTIONS)

backbones: $(VENV)/installed-all
	PATH="$(abspath $(VENV))/bin:$$PATH" ZOO_HEAVY_TESTS=1 $(VENV)/bin/python -m pytest tests/networks/test_backbones.py \
	    tests/networks/test_light_networks.py tests/judge/test_maps.py $(OPTIONS)

LOCK = requirements.lock
UV = $(VENV)/bin/uv
PYTHONS ?= 3.11 3.12 3.13

lock: $(VENV)/installed-test
	$(UV) pip compile setup.py $(patsubst %,--extra %,$(subst $(COMMA), ,$(TESTED))) --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
	    --quiet --output-file $(LOCK)

test-locked: $(VENV)/installed-test
	$(UV) venv --quiet --clear --python $(VENV)/bin/python $(VENV)/locked
	$(UV) pip install --quiet --python $(VENV)/locked --compile-bytecode --require-hashes --requirement $(LOCK)
	$(UV) pip install --quiet --python $(VENV)/locked --no-deps --editable .
	PATH="$(abspath $(VENV))/locked/bin:$$PATH" $(VENV)/locked/bin/python -m pytest $(OPTIONS)

# Without the extra clients, which needs newer ones. Old libraries call what their newer dependencies have deprecated; that is no fault of the zoo's.
test-oldest: $(VENV)/installed-test
	$(UV) venv --quiet --clear --python $(VENV)/bin/python $(VENV)/oldest
	$(UV) pip install --quiet --python $(VENV)/oldest --compile-bytecode --resolution lowest-direct --editable ".[test,docs]"
	PATH="$(abspath $(VENV))/oldest/bin:$$PATH" $(VENV)/oldest/bin/python -m pytest \
	    -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning $(OPTIONS)

# --strict: what the data base does not know is no clean bill.
audit: $(VENV)/installed-test
	$(UV) tool run pip-audit --strict --disable-pip --require-hashes --requirement $(LOCK)

release: $(VENV)/installed-test
	$(VENV)/bin/python -m release $(if $(VERSION),--version "$(VERSION)") $(OPTIONS)

matrix: $(VENV)/installed-test
	@for version in $(PYTHONS); do \
	    if ! $(UV) python find --no-python-downloads $$version > /dev/null 2>&1; then \
	        echo "Python $$version: not here (uv python install $$version brings it)"; continue; fi; \
	    echo "Python $$version"; \
	    $(UV) venv --quiet --clear --python $$version $(VENV)/matrix-$$version && \
	    $(UV) pip install --quiet --python $(VENV)/matrix-$$version --compile-bytecode --editable ".[$(TESTED)]" && \
	    PATH="$(abspath $(VENV))/matrix-$$version/bin:$$PATH" $(VENV)/matrix-$$version/bin/python -m pytest $(OPTIONS) \
	    || exit 1; done

everything: $(VENV)/installed-all
	$(VENV)/bin/python tests/everything.py $(PARTS) $(OPTIONS)

notebooks: $(VENV)/installed-test
	$(VENV)/bin/python docs/notebooks/execute.py docs/_build/notebooks

faults: $(VENV)/installed-test
	cd tests && PYTHONPATH="$(CURDIR)" "$(abspath $(VENV))/bin/python" -m faults $(OPTIONS)

fuzz: $(VENV)/installed-test
	$(PIP) --editable ".[test,fuzz]"
	cd tests && PYTHONPATH="$(CURDIR)" "$(abspath $(VENV))/bin/python" -m faults.guided $(OPTIONS)

bench: $(VENV)/installed-test
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m benchmarks $(OPTIONS)

profile: $(VENV)/installed-test
	$(VENV)/bin/python -m benchmarks.profile $(OPTIONS)

# 1f07c7c is the last build that ran every network by TensorFlow as it came.
BEFORE ?= 1f07c7c

# 7a5975a is the last build that trained every network by Keras' own loop.
BEFORE_TRAINING ?= 7a5975a

bench-training: $(VENV)/installed-test
	git worktree add --detach --force $(VENV)/before $(BEFORE_TRAINING)
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m benchmarks --parts training,packing,startup,growth,runs \
	    --add --before $(VENV)/before $(OPTIONS); code=$$?; git worktree remove --force $(VENV)/before; exit $$code

bench-prediction: $(VENV)/installed-test
	$(PIP) --editable ".[test,openvino]"
	git worktree add --detach --force $(VENV)/before $(BEFORE)
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m benchmarks --parts engines,commands --add \
	    --before $(VENV)/before $(OPTIONS); code=$$?; git worktree remove --force $(VENV)/before; exit $$code

x2y-page: $(VENV)/installed-test
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m benchmarks.fusion $(OPTIONS)
