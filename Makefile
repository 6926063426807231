# SPDX-License-Identifier: GPL-2.0-or-later
# Short verbs. Each sets up what it needs, on a fresh Debian 12 as root.
PYTHON = .venv/bin/python
# Programs whose names do not say that they are Python.
SCRIPTS = createlinks runtime/build runtime/library sandbox/enter sandbox/publish tools/finish-install
CATALOGUES = $(patsubst %.po,%.mo,$(wildcard python/mxbackup/locale/*/LC_MESSAGES/mxbackup.po))

.PHONY: help setup words demo test check rpm runtime packages bench screenshots clean

help:
	@echo 'make demo         show the main job in a sandbox'
	@echo 'make test         run every test'
	@echo 'make check        ruff and mypy'
	@echo 'make packages     build all packages into dist/ (rpm: the contrib, runtime: its Python, minutes, once)'
	@echo 'make words        take the sentences into the catalogues, and say what they lack'
	@echo 'make screenshots  take docs/screenshots anew'
	@echo 'make bench        measure, as ratios'
	@echo 'make clean        remove what was built'

setup: .venv/ready $(CATALOGUES)
	@sandbox/install-packages

.venv/ready: requirements.txt requirements-dev.txt packages.txt
	sandbox/install-packages
	/usr/bin/python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	.venv/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

%.mo: %.po .venv/ready
	.venv/bin/pybabel --quiet compile --input-file $< --output-file $@

words: setup
	$(PYTHON) tools/words.py

build/lib/ready: requirements.txt tools/bundle .venv/ready
	tools/bundle .venv/bin/pip build/lib
	touch $@

rpm: setup build/lib/ready
	tools/build-rpms $(CURDIR)/$(PYTHON)

runtime: setup
	runtime/build dist

packages: rpm runtime

check: setup
	.venv/bin/ruff check . $(SCRIPTS)
	.venv/bin/ruff format --check . $(SCRIPTS)
	.venv/bin/mypy python tests bench sandbox tools $(SCRIPTS)

test: check packages
	.venv/bin/pytest --numprocesses 2 --dist loadfile --durations 15

demo: packages
	@sandbox/demo

screenshots: packages
	MXBACKUP_SCREENSHOTS=docs/screenshots .venv/bin/pytest tests/system/test_panel_pages.py

bench: packages
	sandbox/enter --name bench --fresh --bind $(CURDIR)/dist $(CURDIR)/bench/run
	sandbox/enter --name bench --stop

clean:
	rm -rf build dist .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
