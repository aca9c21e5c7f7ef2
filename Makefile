# Two commands matter: `make book` and `make test`. Everything else is for those who change things.
PROFILE   ?= quick
UNIVERSE  ?= embedded
BASE_PATH ?=
# For UNIVERSE=files or api; by default what the folder above BASE_PATH is called, else TNG100-1, and snapshot 99.
SIMULATION ?=
SNAPSHOT  ?=
PYTHON    ?= python3
# Processes for the tests, each of which takes whole files: what a file makes once is made once. `make test JOBS=8` on a larger machine.
JOBS      ?= 2
# Options of JupyterLab, such as LAB="--allow-root --no-browser".
LAB       ?=

# The environment is that of the lock file, whatever else this shell can import or tells pip.
# Of Python's variables, which change what it does or, with a wrong value, keep it from starting, these may stay.
$(foreach name,$(filter-out PYTHON PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX PYTHONUNBUFFERED,$(filter PYTHON%,$(.VARIABLES))),\
	$(eval unexport $(name)))
unexport UV_NO_BINARY UV_CONSTRAINT UV_OVERRIDE UV_EXCLUDE_NEWER
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_NO_DEPS PIP_REQUIRE_VIRTUALENV
export PYTHONNOUSERSITE := 1

VENV := .venv
BIN  := $(VENV)/bin
READY := $(VENV)/.installed
# Stronger than what a pip.conf says; of this, the index, certificates and proxies count. UV's would name another index.
PIP := PIP_USER=0 PIP_CONSTRAINT=/dev/null PIP_NO_BINARY=:none: PIP_REQUIRE_HASHES=0 \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check
# An environment belongs to its checkout: Python wrote into it where it was made. One that was copied or moved is made anew.
MOVED := $(shell grep -qsF " $(CURDIR)/$(VENV)" $(VENV)/pyvenv.cfg && $(BIN)/python -I -c "" 2>/dev/null || echo moved)
OF := --universe $(UNIVERSE) --profile $(PROFILE) $(if $(BASE_PATH),--base-path "$(BASE_PATH)") \
	$(if $(SIMULATION),--simulation $(SIMULATION)) $(if $(SNAPSHOT),--snapshot $(SNAPSHOT))

.DEFAULT_GOAL := help
.PHONY: moved help book status lint check test bench lab lock pdf picture clean

help: ## This list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

define CHECK
import platform, sys, sysconfig
if platform.system() == "Windows":
    sys.exit("this is Python for Windows: work in WSL, see the README")
if not (3, 11) <= sys.version_info < (3, 14):
    sys.exit("Python 3.11, 3.12 or 3.13 is needed (TensorFlow exists for no other), this is %s: name one with make PYTHON=python3.12" % platform.python_version())
if platform.system() == "Darwin" and platform.machine() == "x86_64":
    sys.exit("TensorFlow exists no longer for Macs with Intel processors: use the container, see the README")
if platform.python_implementation() != "CPython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit("TensorFlow exists for the usual CPython only, this is %s: name one with make PYTHON=python3.12" % sys.version.replace("\n", " "))
if platform.system() == "Linux" and platform.machine() not in ("x86_64", "aarch64"):
    sys.exit("TensorFlow exists for x86-64 and aarch64, this machine is %s" % platform.machine())
libc, release = platform.libc_ver()
if platform.system() == "Linux" and (libc != "glibc" or tuple(map(int, release.split(".")[:2])) < (2, 28)):
    sys.exit("the packages need glibc 2.28 or later (not Alpine, not CentOS 7), this is %s %s: use the container, see the README" % (libc or "another C library", release))
try:
    import ensurepip, venv
except ImportError:
    sys.exit("this Python cannot make environments: install python3-venv (Debian, Ubuntu), or name another with make PYTHON=...")
endef
export CHECK

# The lock file has hashes of everything, for every platform; the two packages of the project are installed editable.
$(READY): requirements.lock pyproject.toml mocktng/pyproject.toml $(MOVED)
	@if [ -e $(VENV) ] && ! [ -w $(VENV) ]; then \
		echo "$(CURDIR)/$(VENV) belongs to another user and must be made anew: its Python," \
			"$$(sed -n 's/^executable = //p' $(VENV)/pyvenv.cfg), cannot be run by $$(id -un 2>/dev/null || id -u), or the lock" \
			"file is newer. Its owner runs make, if need be with a Python that all may run (make PYTHON=/usr/bin/python3);" \
			"or work in a clone of your own." >&2; exit 1; fi
	@$(PYTHON) -c "$$CHECK"
	$(PYTHON) -m venv $(if $(MOVED),--clear) $(VENV)
	@# uv, itself from the lock file, needs a third of pip's time. Where it cannot install, pip does.
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	@if $(BIN)/python -m pip config list | grep -E "^[^:]*\.(target|prefix|root)="; then \
		echo "pip's configuration, above, puts packages elsewhere: remove that line from it" >&2; exit 1; fi
	$(PIP) --no-deps --require-hashes -r $(VENV)/uv.lock
	@# From the index that pip would take, which uv does not know.
	UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null || echo https://pypi.org/simple)}}" \
		UV_NO_CONFIG=1 $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock || \
		$(PIP) --no-compile --require-hashes -r requirements.lock
	@# On all cores, which pip does not. Not the tests of packages, some of which hold what is not Python for a purpose. Our
	@# own modules too: where PYTHONDONTWRITEBYTECODE is set, each of a hundred processes would compile them.
	@$(BIN)/python -m compileall -q -j 0 -x '/(tests?|pip|setuptools|mypyc?)/' $(VENV)/lib
	@$(BIN)/python -m compileall -q -j 0 dmlib mocktng/src
	$(PIP) --no-deps --no-build-isolation -e ./mocktng -e .
	@touch $@

book: $(READY) ## Run every chapter and build the book (PROFILE=smoke|quick|paper UNIVERSE=embedded|files|api BASE_PATH=... SIMULATION=...)
	$(BIN)/python -m dmlib run $(OF)

status: $(READY) ## What `make book` would run, and why
	$(BIN)/python -m dmlib status $(OF)

lint: $(READY) ## Style, types and layers
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

check: lint ## Style, types, layers and the fast tests
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile -m "not slow and not pipeline"

test: $(READY) ## All tests
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations 25

bench: $(READY) ## Measure speed: ratios within one run
	@# Two samplers that only this compares with. Nothing is changed that is there already.
	@$(BIN)/python -c "import dynesty, emcee" 2>/dev/null || $(PIP) --no-build-isolation -e '.[bench]' || \
		echo "emcee and dynesty could not be installed: without them" >&2
	$(BIN)/python -m benchmarks

lab: $(READY) ## JupyterLab on the notebooks (each paired .py opens as a notebook; LAB="--allow-root" passes options)
	$(BIN)/python -m dmlib notebooks
	@# Start-up files of the user (from numpy import *) would change what chapters compute.
	IPYTHONDIR="$(CURDIR)/$(VENV)/ipython" $(BIN)/python -m jupyterlab --notebook-dir notebooks $(LAB)

lock: ## Renew requirements.lock from pyproject.toml (needs uv on the PATH; UPGRADE=--upgrade for newer versions)
	uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 --extra dev --extra interactive \
		--custom-compile-command "make lock" --quiet $(UPGRADE) --output-file requirements.lock

pdf: $(READY) ## The built pages as one PDF, book/_build/book.pdf (needs a Chromium)
	$(BIN)/python book/pdf.py

picture: $(READY) ## Draw the picture of the README again, from the quick universe
	$(BIN)/python book/picture.py

clean: ## Remove all outputs; the environment and downloaded data stay
	rm -rf build book/_build
