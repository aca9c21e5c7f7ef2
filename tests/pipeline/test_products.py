"""The call inside a notebook: the same truth as the run's, alone, nested, and from two processes at once."""

from __future__ import annotations

import shutil
import sys

import pytest

from dmlib.errors import StepError
from dmlib.pipeline.products import PRODUCTS
from dmlib.pipeline.steps import ensure, notebook_step
from dmlib.settings import Settings, repository_root
from toy_repository import ToyRepository

ENSURE = """
import sys
from dmlib.pipeline.steps import ensure
from dmlib.settings import Settings
print(ensure(Settings(profile="smoke", seed=int(sys.argv[1]) if len(sys.argv) > 1 else 1), "sample").read_text())
"""


@pytest.fixture
def toy(tmp_path) -> ToyRepository:
    repository = ToyRepository(tmp_path / "toy")
    shutil.rmtree(repository.root / "book")
    return repository


def done(process) -> tuple[str, str]:
    """Output and errors of a process that must end well."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.strip(), err.strip()


def built(toy: ToyRepository) -> list[str]:
    """What the toy's builders logged."""
    return (toy.build / "log.txt").read_text().split()


def test_makes_what_is_missing_and_says_why(toy):
    out, err = done(toy.python(ENSURE))
    assert out == "2 3 4"
    assert err.splitlines() == ["making universe: never run", "making sample: never run"]
    out, err = done(toy.python(ENSURE))
    assert (out, err) == ("2 3 4", "")
    assert built(toy) == ["universe", "sample"]


def test_the_run_and_the_call_agree(toy):
    done(toy.python(ENSURE))
    assert toy.status("--no-book")["sample"] == ""
    toy.edit("dmlib/sample.py", "LIMIT = 1", "LIMIT = 2")
    assert toy.status("--no-book")["sample"] == "dmlib/sample.py changed"
    out, err = done(toy.python(ENSURE))
    assert out == "3 4" and err == "making sample: dmlib/sample.py changed"
    assert toy.ran(toy.run("--only", "sample")) == []


def test_another_seed_renews_all(toy):
    done(toy.python(ENSURE))
    out, err = done(toy.python(ENSURE.replace("int(sys.argv[1]) if len(sys.argv) > 1 else 1", "2")))
    assert out == "2 4 6 8"
    assert err.splitlines() == [
        "making universe: parameter seed: 1 -> 2",
        "making sample: " + err.partition("sample: ")[2],
    ]
    assert "parameter seed: 1 -> 2" in err.splitlines()[1]


def test_two_processes_build_once(toy):
    toy.edit("dmlib/embedded.py", "def build(settings):", "def build(settings):\n    import time\n    time.sleep(2)")
    first, second = toy.python(ENSURE), toy.python(ENSURE)
    (out1, err1), (out2, err2) = done(first), done(second)
    assert out1 == out2 == "2 3 4"
    assert built(toy) == ["universe", "sample"]
    assert "waiting: another process is making products in embedded-smoke" in err1 + err2


def test_workers_of_a_builder_read_its_inputs(toy):
    """A worker process that opens the universe must neither wait for its own parent's lock nor build anew."""
    toy.edit(
        "dmlib/sample.py",
        "str(m) for m in open_universe(settings).masses if m > LIMIT",
        "str(m) for m in in_worker(settings) if m > LIMIT",
    )
    toy.edit(
        "dmlib/sample.py",
        "def build",
        "def masses(settings):\n    return open_universe(settings).masses\n\n"
        "def in_worker(settings):\n"
        "    from concurrent.futures import ProcessPoolExecutor\n"
        "    from multiprocessing import get_context\n"
        "    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:\n"
        "        return pool.submit(masses, settings).result()\n\ndef build",
    )
    assert done(toy.python(ENSURE))[0] == "2 3 4"
    assert built(toy) == ["universe", "sample"]


def test_a_module_edited_after_it_was_loaded(toy):
    """The old code in memory must not be recorded as the new one."""
    code = """
import os, time
from pathlib import Path
from dmlib import load
from dmlib.settings import Settings
print(load.sample(Settings(profile="smoke")))
path = Path("../dmlib/sample.py")
path.write_text(path.read_text().replace("LIMIT = 1", "LIMIT = 2"))
print(load.sample(Settings(profile="smoke")))
"""
    process = toy.python(code)
    out, err = process.communicate(timeout=120)
    assert process.returncode != 0 and out.strip() == "[2, 3, 4]"
    assert "dmlib/sample.py was edited after this process started" in err and "restart the kernel" in err
    assert done(toy.python(ENSURE))[0] == "3 4"


def test_plain_papermill_makes_what_a_notebook_needs(toy):
    code = """
import sys, jupytext, papermill
notebook = jupytext.read("01_first.py")
papermill.execute_notebook(notebook, "../out.ipynb", parameters={"profile": "smoke"}, progress_bar=False)
"""
    done(toy.python(code))
    assert (toy.build / "figures/first.csv").read_text() == "black [12, 18, 24]"
    assert built(toy) == ["universe", "sample"]


def test_a_builder_that_resumes_does_not_keep_damaged_files(toy):
    """The toy's builder leaves alone what is there, as one that resumes does; damage must not pass for progress."""
    old = '    write_text(settings.universe_dir / "galaxies.txt"'
    toy.edit("dmlib/embedded.py", old, '    if not (settings.universe_dir / "galaxies.txt").exists():\n    ' + old)
    done(toy.python(ENSURE))
    (toy.build / "universe/galaxies.txt").write_text("7 8 9")
    out, err = done(toy.python(ENSURE))
    assert out == "2 3 4" and err == "making universe: universe/galaxies.txt is not as it was written"


def test_the_call_reads_no_product_when_nothing_changed(toy):
    """That is what makes it quick, however large the product: size and time of change are enough."""
    done(toy.python(ENSURE))
    unreadable = "import dmlib.pipeline.ledger as ledger\nledger.sha256 = None\n"
    out, err = done(toy.python(unreadable + ENSURE))
    assert out == "2 3 4" and err == ""
    (toy.build / "sample.ecsv").touch()
    assert "'NoneType' object is not callable" in toy.python(unreadable + ENSURE).communicate(timeout=120)[1]


def test_an_unknown_product():
    with pytest.raises(StepError, match="no data product 'sapmle'; the products are universe, sample, targets"):
        ensure(Settings(), "sapmle")


def test_every_product_has_a_place_and_a_builder():
    settings = Settings()
    for product in PRODUCTS.values():
        assert product.location(settings).is_relative_to(settings.build)
        module, _, function = product.builder.partition(":")
        __import__(module)
        assert callable(getattr(sys.modules[module], function))


def test_a_program_that_appears_makes_its_chapter_stale(tmp_path, monkeypatch):
    """The chapter that runs SKIRT where it is installed; the others do not depend on it."""
    folder, settings = repository_root() / "notebooks", Settings(profile="smoke")
    monkeypatch.setenv("DMLIB_SKIRT", str(tmp_path / "skirt"))
    chapter = folder / "05_photometry_with_skirt.py"
    assert notebook_step(settings, chapter, {}).data["the skirt executable"] == "absent"
    (tmp_path / "skirt").write_text("#!/bin/sh\n")
    (tmp_path / "skirt").chmod(0o755)
    assert notebook_step(settings, chapter, {}).data["the skirt executable"].startswith("10 bytes of ")
    assert "the skirt executable" not in notebook_step(settings, folder / "07_data_set.py", {}).data
