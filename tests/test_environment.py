"""environment.yml asks for the same packages and bounds as pyproject.toml; every variable is explained."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from dmlib.environment import PYTHONS, repository_root

#: Extras that conda users do not get: the developers' tools, and what is optional, come with `pip install -e .[dev]`.
LEFT_OUT = {"dev", "jax", "barolo", "bench", "cluster"}

#: Names under which the issue's required packages are installed.
REQUIRED = {
    "jupyter-book": "jupyter-book",
    "jupytext": "jupytext",
    "numpy": "numpy",
    "h5py": "h5py",
    "illustris_python": "illustris-python",
    "martini": "astromartini",
    "tensorflow": "tensorflow",
    "matplotlib": "matplotlib",
    "astropy": "astropy",
    "papermill": "papermill",
}


def parse(requirement: str) -> tuple[str, frozenset[str]]:
    """Normalised name and the set of its bounds, ``"Numpy >=2, <3"`` -> ``("numpy", {">=2", "<3"})``.

    Extras in brackets are dropped: conda has none (its ``dask`` is PyPI's ``dask[distributed]`` and more).
    """
    name, bounds = re.fullmatch(r"\s*([A-Za-z0-9._-]+)(?:\[.*?\])?\s*(.*?)\s*", requirement).groups()
    return re.sub(r"[._-]+", "-", name).lower(), frozenset(b.strip() for b in bounds.split(",") if b.strip())


@pytest.fixture(scope="module")
def project(repository) -> dict[str, frozenset[str]]:
    table = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    requirements = list(table["dependencies"])
    for name, extra in table["optional-dependencies"].items():
        requirements += [] if name in LEFT_OUT else extra
    return dict(map(parse, requirements))


@pytest.fixture(scope="module")
def environment(repository) -> dict[str, frozenset[str]]:
    entries = yaml.safe_load((repository / "environment.yml").read_text())["dependencies"]
    flat = [r for entry in entries for r in (entry["pip"] if isinstance(entry, dict) else [entry])]
    flat = [r for r in flat if not r.startswith("-e ")]
    names = [parse(r)[0] for r in flat]
    assert len(names) == len(set(names)), "a package is listed twice"
    return dict(map(parse, flat))


def test_same_packages_and_bounds(project, environment):
    assert {name: bounds for name, bounds in environment.items() if name not in ("python", "pip")} == project


def test_same_python(repository, environment):
    """Stated in five places, each of which refuses another Python in its own way."""
    wanted = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["requires-python"]
    assert environment["python"] == frozenset(wanted.split(","))
    (least, end), text = PYTHONS, (repository / "Makefile").read_text()
    assert wanted == ">={}.{},<{}.{}".format(*least, *end)
    assert f"{least} <= sys.version_info < {end}" in text


def test_conda_installs_the_project_itself(repository):
    entries = yaml.safe_load((repository / "environment.yml").read_text())["dependencies"]
    (pip,) = (entry["pip"] for entry in entries if isinstance(entry, dict))
    assert pip[-2:] == ["-e ./mocktng", "-e ."]  # in this order: no index has mocktng


@pytest.mark.parametrize("name", REQUIRED)
def test_required_package_is_asked_for(name, environment):
    assert REQUIRED[name] in environment


def test_only_conda_forge(repository):
    """No mixture of channels, whose binaries do not fit each other."""
    channels = yaml.safe_load((repository / "environment.yml").read_text())["channels"]
    assert channels == ["conda-forge", "nodefaults"]


def test_every_variable_that_dmlib_reads_is_explained():
    """Those that its processes hand to each other apart."""
    among_processes = {"DMLIB_PRIVATE", "DMLIB_WRITTEN"}
    root = repository_root()
    read = {
        name
        for path in (root / "dmlib").rglob("*.py")
        for name in re.findall(r"\bDMLIB_[A-Z_]+[A-Z]", path.read_text())
    }
    pages = "".join(path.read_text() for path in [*(root / "book").glob("*.md"), root / "README.md"])
    assert not {name for name in read - among_processes if name not in pages}
