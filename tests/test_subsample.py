"""A subsample of N galaxies: which they are, where its outputs lie, and that what is made from it knows so."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from pydantic import ValidationError

from dmlib import results
from dmlib.sample import subsample
from dmlib.settings import Settings
from quoting import place
from toy_repository import ToyRepository


def table(n_centrals: int, n_satellites: int) -> QTable:
    n = n_centrals + n_satellites
    rng = np.random.default_rng(1)
    return QTable(
        {
            "subhalo_id": rng.permutation(n),
            "m_star": rng.permutation(np.arange(1, n + 1)) * 1e10 * u.Msun,
            "m200": rng.permutation(n) * 1e12 * u.Msun,
            "is_true_central": rng.permutation(np.arange(n) < n_centrals),
        }
    )


class TestWhich:
    def test_evenly_through_the_masses_of_centrals(self):
        whole = table(100, 30)
        few = subsample(whole, 10)
        assert len(few) == 10 and few["is_true_central"].all() and few.meta["subsample"] == {"galaxies": 10, "of": 130}
        masses = np.sort(whole["m_star"][whole["is_true_central"]])
        np.testing.assert_array_equal(np.sort(few["m_star"]), masses[5::10])
        rows = [np.flatnonzero(whole["subhalo_id"] == i)[0] for i in few["subhalo_id"]]
        assert rows == sorted(rows)

    def test_satellites_of_the_lightest_groups_where_centrals_are_few(self):
        whole = table(5, 20)
        few = subsample(whole, 8)
        satellites = few[~few["is_true_central"]]
        assert len(few) == 8 and few["is_true_central"].sum() == 5
        lightest = np.sort(whole["m200"][~whole["is_true_central"]])[:3]
        np.testing.assert_array_equal(np.sort(satellites["m200"]), lightest)

    @pytest.mark.parametrize("n", [25, 26, 1000])
    def test_all_where_there_are_no_more(self, n):
        whole = table(5, 20)
        assert subsample(whole, n) is whole


class TestWhere:
    def test_a_folder_of_its_own_and_the_whole_universe(self):
        settings = Settings(profile="smoke", sample=7)
        assert settings.build.name == "embedded-smoke-sample7" and settings.whole == Settings(profile="smoke")
        assert settings.universe_dir == Settings(profile="smoke").universe_dir
        assert "only 7 galaxies" in settings.label and "galaxies" not in settings.whole.label

    def test_defaults_from_the_environment(self, monkeypatch):
        for name, value in (("SIMULATION", "TNG50-1"), ("SNAPSHOT", "67"), ("SAMPLE", "5")):
            monkeypatch.setenv(f"DMLIB_{name}", value)
        settings = Settings(universe="api")
        assert (settings.simulation, settings.snapshot, settings.sample) == ("TNG50-1", 67, 5)
        assert Settings(sample=0).sample == 0 and Settings().simulation == "TNG100-1"
        monkeypatch.setenv("DMLIB_SAMPLE", "-1")
        with pytest.raises(ValidationError):
            Settings()

    def test_a_run(self, tmp_path):
        """The toy's sample is made from the universe of the whole, which is written once and depended upon."""
        toy = ToyRepository(tmp_path / "toy")
        toy.edit(
            "dmlib/sample.py",
            "write_text(settings.sample_path",
            "text = str(settings.sample)\n    write_text(settings.sample_path",
        )
        toy.run("--only", "sample")
        whole = (toy.build / "log.txt").read_text().splitlines()
        told = toy.run("--only", "targets", "--sample", "3")
        assert toy.ran(told) == ["sample", "targets"]
        assert (toy.build / "log.txt").read_text().splitlines() == whole
        assert (toy.build.parent / "embedded-smoke-sample3" / "sample.ecsv").is_file()
        assert toy.ran(toy.run("--only", "targets", "--sample", "3")) == []
        toy.edit("dmlib/embedded.py", "settings.seed * n", "settings.seed * n + 1")
        why = toy.run("--only", "targets", "--sample", "3")
        assert "the whole universe changed" in why and toy.ran(why)[:1] == ["sample"]


class TestOrigin:
    @pytest.mark.parametrize("universe", ["files", "api"])
    def test_what_dmlib_wrote_is_never_tng(self, universe, tmp_path):
        settings = Settings(
            universe=universe,
            simulation="embedded-quick",
            base_path=str(tmp_path) if universe == "files" else "",
            build_root=str(tmp_path),
        )
        assert settings.origin == "embedded" and "not TNG" in settings.label
        results.record(settings, "a.mass", 1.0, chapter="one", statement="A mass")
        row = json.loads(results.chapter_path(settings, "one").read_text())[0]
        assert row["universe"] == "embedded" and place(row) == "the embedded universe (profile quick)"

    def test_tng_is(self):
        settings = Settings(universe="api")
        assert settings.origin == "TNG100-1" and settings.label.startswith("TNG100-1, snapshot 99 (web API)")
