# SPDX-License-Identifier: GPL-2.0-or-later
# Short verbs. Each sets up what it needs, on a fresh Debian 12 as root.
PYTHON = .venv/bin/python
# Every file of requirements is whole: asked for coverage[toml], pip would take the newest, and find it without a hash.
PIP = .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps
# Programs whose names do not say that they are Python.
SCRIPTS = createlinks runtime/build runtime/library sandbox/enter sandbox/publish tools/finish-install tools/pins
CATALOGUES = $(patsubst %.po,%.mo,$(wildcard python/mxbackup/locale/*/LC_MESSAGES/mxbackup.po))

.PHONY: help setup words demo test check rpm deb runtime wheel packages release bench screenshots picture manual clean

help:
	@echo 'make demo         show the main job in a sandbox, within a minute or two'
	@echo 'make test         run every test'
	@echo 'make check        ruff and mypy'
	@echo 'make packages     build all packages into dist/ (rpm: the contrib, deb: for Debian,'
	@echo '                  wheel: for any Python, runtime: that of the contrib, minutes, once)'
	@echo 'make release      make of them a signed release page, dist/release'
	@echo 'make words        take the sentences into the catalogues, say what they lack, and write docs/*.md'
	@echo 'make screenshots  take docs/screenshots and the pictures of the tests anew'
	@echo 'make picture      take docs/screenshots/demo.svg anew, the demo as a moving picture'
	@echo 'make manual       build the manual, both languages, into build/manual'
	@echo 'make bench        measure, as ratios'
	@echo 'make clean        remove what was built'

setup: .venv/ready $(CATALOGUES)
	@sandbox/install-packages

.venv/bin/pip:
	sandbox/install-packages --without tests/packages.txt
	/usr/bin/python3 -m venv .venv

.venv/ready: requirements.txt requirements-dev.txt | .venv/bin/pip
	$(PIP) -r requirements.txt
	$(PIP) -r requirements-dev.txt
	touch $@

%.mo: %.po .venv/ready
	.venv/bin/pybabel --quiet compile --input-file $< --output-file $@

words: setup
	$(PYTHON) tools/words.py
	PYTHONPATH=python:. $(PYTHON) tools/findings.py
	PYTHONPATH=python:. $(PYTHON) tools/documents.py
	PYTHONPATH=python LC_ALL=C $(PYTHON) tools/record.py > docs/record.md
	PYTHONPATH=python LC_ALL=fr $(PYTHON) tools/record.py > docs/record.fr.md

build/bundle/ready: requirements.txt tools/bundle | .venv/bin/pip
	tools/bundle .venv/bin/pip build/bundle/lib
	touch $@

rpm: build/bundle/ready .venv/ready
	@sandbox/install-packages --without tests/packages.txt
	tools/build-rpms $(CURDIR)/$(PYTHON)

runtime: setup
	runtime/build dist

deb: build/bundle/ready .venv/ready
	tools/build-deb $(CURDIR)/$(PYTHON)

# For whoever has a Python and no server: pip brings what builds it, and later what it depends on, from PyPI.
wheel: setup
	rm -f dist/smeserver_mxbackup-*.whl
	.venv/bin/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

packages: rpm deb runtime wheel

release: packages
	$(PYTHON) tools/release.py

check: setup
	.venv/bin/ruff check . $(SCRIPTS)
	.venv/bin/ruff format --check . $(SCRIPTS)
	.venv/bin/mypy python tests bench sandbox tools $(SCRIPTS)
	PYTHONPATH=python .venv/bin/lint-imports --no-logo --no-cache

test: check packages
	.venv/bin/pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder --durations 15 --cov --cov-report term:skip-covered
	@echo 'Newer sources of the interpreter:'; tools/pins || true

demo: rpm
	@sandbox/demo

screenshots: packages
	MXBACKUP_SCREENSHOTS=docs/screenshots MXBACKUP_PICTURES=1 \
	    .venv/bin/pytest tests/system/test_panel_pages.py tests/system/test_smanager.py tests/system/test_panel_pictures.py

picture: rpm
	mkdir -p build
	sandbox/demo > build/demo.txt
	$(PYTHON) tools/picture.py build/demo.txt > docs/screenshots/demo.svg

manual: setup
	mkdocs build --strict --quiet
	@echo 'build/manual/index.html'

bench: packages
	for profile in sme7 postfix; do \
	    sandbox/enter --name bench --fresh --profile $$profile --bind $(CURDIR)/dist $(CURDIR)/bench/run && \
	    sandbox/enter --name bench --stop || exit 1; \
	done

clean:
	rm -rf build dist .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
