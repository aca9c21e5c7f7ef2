"""The commands dmlib skirt export and dmlib skirt run."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import skirt_schema
import skirt_toys
from dmlib import cli
from dmlib.errors import DmlibError
from dmlib.observe.skirt import SkirtError
from dmlib.sample import select
from dmlib.universe.files import FilesUniverse


@pytest.fixture(scope="module")
def tree(smoke_universe):
    """Output folder of the embedded universe, and one of its galaxies."""
    output = smoke_universe.universe_dir / "output"
    sample, _ = select(FilesUniverse(output, simulation="embedded"))
    return output, int(sample["subhalo_id"][0])


def dmlib(*arguments):
    return CliRunner().invoke(cli.app, [str(item) for item in ("skirt", *arguments)], catch_exceptions=False)


def test_help_has_examples():
    assert "dmlib skirt export 12 --out galaxy" in " ".join(dmlib("--help").output.split())
    for command in ("export", "run"):
        assert f"For example: dmlib skirt {command}" in " ".join(dmlib(command, "--help").output.split())


def test_export_then_run(tree, tmp_path):
    output, subhalo_id = tree
    where = ("--universe", "files", "--base-path", output, "--simulation", "embedded", "--out", tmp_path / "galaxy")
    done = dmlib("export", subhalo_id, *where, "--library", "self-contained", "--no-dust", "--packets", "1e4")
    assert done.exit_code == 0 and "3 views" in done.output
    assert re.search(r"light of the spectra over particle light: u 1\.00\d, g 1\.00\d", done.output)
    assert skirt_schema.problems(tmp_path / "galaxy" / f"subhalo_{subhalo_id}.ski") == []
    ran = dmlib("run", tmp_path / "galaxy", "--executable", skirt_toys.executable(tmp_path), "--timeout", 60)
    assert ran.exit_code == 0
    lines = ran.output.splitlines()
    assert lines[0] == "apparent AB magnitudes within the field" and lines[1].split() == ["view", *"ugriz"]
    rows = [[float(value) for value in line.split()] for line in lines[2:5]]
    assert [row[0] for row in rows] == [0, 1, 2]
    # A galaxy of the sample at redshift 0.05, the same from all sides where there is no dust.
    assert all(12 < value < 20 for row in rows for value in row[1:])
    assert all(abs(a - b) < 0.1 for a, b in zip(rows[0][1:], rows[1][1:], strict=True))


def test_the_published_recipe_along_the_boxs_axis(tree, tmp_path):
    output, subhalo_id = tree
    where = ("--universe", "files", "--base-path", output, "--simulation", "embedded", "--out", tmp_path)
    done = dmlib("export", subhalo_id, *where, "--views", "box", "--group")
    assert done.exit_code == 0 and "1 view" in done.output and "particle light" not in done.output
    ski = tmp_path / f"subhalo_{subhalo_id}.ski"
    assert skirt_schema.problems(ski) == [] and "<ParticleMedium" in ski.read_text()


def test_an_earlier_snapshot_is_refused(tree, tmp_path, monkeypatch):
    output, subhalo_id = tree
    header = replace(FilesUniverse(output, simulation="embedded").header, redshift=0.3)
    monkeypatch.setattr("dmlib.load.universe", lambda settings: SimpleNamespace(header=header))
    with pytest.raises(DmlibError, match=r"at redshift 0\.30, and stars are exported with their ages today"):
        dmlib("export", subhalo_id, "--out", tmp_path)


def test_errors_are_sentences(tree, tmp_path):
    output, subhalo_id = tree
    with pytest.raises(SkirtError, match="holds no exported galaxy: make it with dmlib skirt export"):
        dmlib("run", tmp_path)
    where = ("--universe", "files", "--base-path", output, "--simulation", "embedded", "--out", tmp_path)
    with pytest.raises(DmlibError, match="packets: "):
        dmlib("export", subhalo_id, *where, "--packets", "3")
