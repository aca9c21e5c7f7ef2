"""Reading SPARC, and the mass models made from it: against hand-made files, analytic curves and the real tables."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from dmlib.errors import FetchError, GalaxyError
from dmlib.galaxy import Component, Galaxy
from dmlib.rotation import sparc
from dmlib.rotation.baryons import signed_root, signed_square
from dmlib.rotation.massmodel import MassModel, from_galaxy, outer_slope
from dmlib.rotation.sparc import ROTMOD, TABLE1, SparcError, from_sparc, read_rotmod, read_table1
from dmlib.rotation.sparc_analysis import relate
from dmlib.units import G

ROTMOD_TEXT = """# Distance = 3.5 Mpc
# Rad\tVobs\terrV\tVgas\tVdisk\tVbul\tSBdisk\tSBbul\t\t
# kpc\tkm/s\tkm/s\tkm/s\tkm/s\tkm/s\tL/pc^2\tL/pc^2
0.50\t40.00\t4.00\t-3.00\t30.00\t0.00\t100.00\t0.00
1.00\t60.00\t3.00\t5.00\t40.00\t0.00\t50.00\t0.00
"""


def write(folder, text: str, name: str = "NGC0001_rotmod.dat"):
    path = folder / name
    path.write_text(text)
    return path


def model_of(radius, v_obs, *, v_gas=0.0, v_disk=0.0, v_bulge=0.0, v_err=1.0, **more) -> MassModel:
    full = {key: np.broadcast_to(value, radius.shape).astype(float) for key, value in
            {"v_obs": v_obs, "v_err": v_err, "v_gas": v_gas, "v_disk": v_disk, "v_bulge": v_bulge}.items()}  # fmt: skip
    return MassModel(galaxy="toy", source=None, r_disk=2.0, radius=radius, **full, **more)


class TestRotmod:
    def test_reads_columns_units_and_distance(self, tmp_path):
        table = read_rotmod(write(tmp_path, ROTMOD_TEXT))
        assert table.colnames == list(ROTMOD)
        assert table.meta == {"galaxy": "NGC0001", "distance": 3.5 * u.Mpc}
        assert table["v_gas"][0] == -3.0 * u.km / u.s
        assert table["sb_disk"].unit == u.L_sun / u.pc**2

    @pytest.mark.parametrize(
        ("old", "new", "says"),
        [
            ("60.00\t3.00", "sixty\t3.00", "sixty.* row"),
            ("\t50.00\t0.00\n", "\n", "row"),
            ("60.00", "nan", "v_obs is not a number"),
            ("# Distance = 3.5 Mpc", "# no distance", "no distance"),
            ("1.00\t60", "0.40\t60", "increasing"),
        ],
    )
    def test_faults_name_file_and_row(self, tmp_path, old, new, says):
        assert old in ROTMOD_TEXT
        with pytest.raises(SparcError, match=rf"NGC0001_rotmod\.dat.*{says}"):
            read_rotmod(write(tmp_path, ROTMOD_TEXT.replace(old, new)))

    def test_empty_and_missing(self, tmp_path):
        with pytest.raises(SparcError, match="no rows"):
            read_rotmod(write(tmp_path, "# Distance = 3.5 Mpc\n"))
        with pytest.raises(SparcError, match=r"NGC0002_rotmod\.dat"):
            read_rotmod(tmp_path / "NGC0002_rotmod.dat")

    def test_all_175_real_files(self, shared_data):
        files = sorted((shared_data / "sparc/Rotmod_LTG").glob("*_rotmod.dat"))
        tables = [read_rotmod(path) for path in files]
        assert len(tables) == 175
        assert sum(len(table) for table in tables) == 3391
        assert all(np.all(table["v_err"] > 0) for table in tables)


class TestTable1:
    ROW = (
        "NGC0001  6   6.26  0.31  2 74.0  2.0  12.845   0.059  1.62   774.16  2.16   398.87   1.744 14.05 116.3   2.4 "
        "  1  Be91"
    )
    HEAD = "Title: SPARC\n-----\n Note (1): 6 = Scd\n-----\n"

    def test_reads_units(self, tmp_path):
        table = read_table1(write(tmp_path, self.HEAD + self.ROW + "\n", "table.mrt"))
        assert table.colnames == list(TABLE1)
        row = table[0]
        assert row["m_hi"].to_value(u.M_sun) == pytest.approx(1.744e9)
        assert row["l36"].to_value(u.L_sun) == pytest.approx(1.2845e10)
        assert (row["inclination"], row["quality"], row["references"]) == (74 * u.deg, 1, "Be91")

    def test_zero_means_not_measured(self, tmp_path):
        text = self.ROW.replace(" 14.05 116.3   2.4 ", " 0.00   0.0   0.0 ")
        row = read_table1(write(tmp_path, self.HEAD + text, "table.mrt"))[0]
        assert np.isnan(row["v_flat"]) and np.isnan(row["r_hi"]) and row["r_disk"] == 2.16 * u.kpc

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("just text", "ruled"),
            ("-----\n", "no rows"),
            ("-----\nNGC0001 6 6.26\n", "row"),
        ],
    )
    def test_faults(self, tmp_path, text, says):
        with pytest.raises(SparcError, match=rf"table\.mrt.*{says}"):
            read_table1(write(tmp_path, text, "table.mrt"))

    def test_bad_number(self, tmp_path):
        with pytest.raises(SparcError, match=r"face-on.* row"):
            read_table1(write(tmp_path, self.HEAD + self.ROW.replace("74.0", "face-on"), "table.mrt"))

    def test_real_table(self, shared_data):
        table = read_table1(shared_data / "sparc/SPARC_Lelli2016c.mrt")
        assert len(table) == 175 == len(set(table["galaxy"]))
        row = table[table["galaxy"] == "NGC6503"][0]
        assert (row["distance"], row["v_flat"]) == (6.26 * u.Mpc, 116.3 * u.km / u.s)
        assert set(table["quality"]) == {1, 2, 3}

    def test_real_distances_agree_with_the_mass_models(self, shared_data):
        table = read_table1(shared_data / "sparc/SPARC_Lelli2016c.mrt")
        for name, distance in zip(table["galaxy"], table["distance"], strict=True):
            curve = read_rotmod(shared_data / f"sparc/Rotmod_LTG/{name}_rotmod.dat")
            assert curve.meta["distance"].to_value(u.Mpc) == pytest.approx(distance.to_value(u.Mpc), rel=0.02), name


class TestMassModel:
    RADIUS = np.linspace(1.0, 20.0, 40)

    def test_point_mass_is_found_back(self):
        mass = 5e10
        model = model_of(self.RADIUS, np.sqrt(G * mass / self.RADIUS))
        found, error = model.m_dynamical()
        np.testing.assert_allclose(found, mass, rtol=1e-12)
        np.testing.assert_allclose(error / found, 2 * model.v_err / model.v_obs)

    def test_slopes_of_kepler_and_of_a_flat_curve(self):
        visible = 90 / np.sqrt(self.RADIUS)
        slope, error, seen, n = outer_slope(model_of(self.RADIUS, 110.0, v_gas=visible), beyond=6.0)
        assert slope == pytest.approx(0, abs=1e-12) and seen == pytest.approx(-0.5) and error > 0
        assert n == np.sum(self.RADIUS > 6.0)
        with pytest.raises(ValueError, match="fewer than the 3"):
            outer_slope(model_of(self.RADIUS, 110.0), beyond=19.4)

    def test_error_of_the_slope_is_its_scatter(self):
        """Over many noisy curves the fitted slopes scatter as the fit says."""
        rng = np.random.default_rng(5)
        noisy = [model_of(self.RADIUS, 110 + rng.normal(0, 3, 40), v_err=3.0, v_gas=10.0) for _ in range(400)]
        fits = np.array([outer_slope(model, 5.0)[:2] for model in noisy])
        assert fits[:, 0].std() == pytest.approx(fits[:, 1].mean(), rel=0.12)

    def test_squares_add_up(self):
        model = model_of(self.RADIUS, 150.0, v_gas=-20.0, v_disk=120.0, v_bulge=50.0)
        expected = 0.5 * 120**2 + 0.7 * 50**2 - 20**2
        np.testing.assert_allclose(model.v_visible() ** 2, expected)
        np.testing.assert_allclose(model.v_dark() ** 2 + expected, 150.0**2)
        np.testing.assert_allclose(model.discrepancy()[0], 150.0**2 / expected)
        np.testing.assert_allclose(model.m_dynamical()[0] / model.m_visible(), model.discrepancy()[0])

    def test_too_much_visible_mass_is_no_dark_speed(self):
        model = model_of(self.RADIUS, 100.0, v_disk=200.0)
        assert np.all(np.isnan(model.v_dark())) and np.all(model.discrepancy()[0] < 1)

    def test_visible_parts_that_pull_outwards_have_no_ratio(self):
        assert np.all(np.isnan(model_of(self.RADIUS, 100.0, v_gas=-5.0).discrepancy()[0]))

    def test_signed_squares_are_inverse(self):
        values = np.array([-3.0, 0.0, 2.0])
        np.testing.assert_allclose(signed_root(signed_square(values)), values)

    def test_ngc6503(self, shared_data):
        table = read_table1(shared_data / "sparc/SPARC_Lelli2016c.mrt")
        model = from_sparc(shared_data / "sparc/Rotmod_LTG", table, "NGC6503")
        assert (model.galaxy, model.source, model.r_disk) == ("NGC 6503", "SPARC", 2.16)
        slope, error, seen, _ = outer_slope(model, 3 * model.r_disk)
        assert abs(slope) < 3 * error and -0.5 < seen < -0.3
        # The flat speed of Table 1 is the curve's own.
        assert model.v_obs[model.radius > 8].mean() == pytest.approx(116.3, abs=2.4)
        assert 5 < model.discrepancy()[0][-1] < 10


class TestFromGalaxy:
    """The stand-in: a galaxy whose gas moves on circles at the speed that its masses give."""

    def galaxy(self, n_gas: int = 4000, tilt: float = 0.7) -> Galaxy:
        rng = np.random.default_rng(11)
        radius, phi = 10 * rng.uniform(0.1, 1, n_gas), rng.uniform(0, 2 * np.pi, n_gas)
        plane = radius[:, None] * np.stack([np.cos(phi), np.sin(phi), 0 * phi], axis=1)
        # Stars and dark matter so concentrated that M(<R) is constant over the disc.
        speed = np.sqrt(G * 6e10 / radius)
        velocity = speed[:, None] * np.stack([-np.sin(phi), np.cos(phi), 0 * phi], axis=1)
        turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
        hot = rng.normal(0, 30, (500, 3))
        gas = Component(
            np.concatenate([plane @ turn.T, hot]),
            np.concatenate([velocity @ turn.T, rng.normal(0, 100, (500, 3))]),
            np.full(n_gas + 500, 1e3),
            {
                "NeutralHydrogenAbundance": np.repeat([0.9, 0.0], [n_gas, 500]),
                "StarFormationRate": np.zeros(n_gas + 500),
            },
        )
        point = np.zeros((1, 3)) + 1e-3
        masses = {name: Component(point, point, np.array([mass])) for name, mass in (("dm", 4e10), ("stars", 2e10))}
        nothing = Component(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
        return Galaxy(
            subhalo_id=3,
            group_id=0,
            scope="subhalo",
            centre=np.zeros(3),
            r_half_star=3.0,
            m_dm_particle=4e10,
            gas=gas,
            wind=nothing,
            **masses,
        )

    def test_finds_the_mass_and_the_missing_share(self):
        model = from_galaxy(self.galaxy())
        assert model.source is None and "subhalo 3" in model.galaxy
        assert np.all(np.diff(model.radius) > 0)
        np.testing.assert_allclose(model.m_dynamical()[0], 6e10, rtol=0.03)
        np.testing.assert_allclose(model.discrepancy()[0], 3.0, rtol=0.03)
        assert model.upsilon_range == (1, 1), "the masses of a simulation are known"
        slope, _, seen, _ = outer_slope(model, 3.0)
        assert slope == pytest.approx(-0.5, abs=0.01) and seen == pytest.approx(-0.5, abs=0.01)

    def test_too_little_cold_gas(self):
        with pytest.raises(GalaxyError, match="subhalo 3 has 40 cells"):
            from_galaxy(self.galaxy(n_gas=40))


class TestExamples:
    def test_relation_of_a_power_law(self):
        rng = np.random.default_rng(3)
        x = 10 ** rng.uniform(8, 11, 4000)
        y = 10 ** (0.6 * np.log10(x) + 4 + rng.normal(0, 0.2, 4000))
        found = relate(x, y, seed=1, draws=100)
        assert found.values["slope"] == pytest.approx(0.6, abs=0.01)
        assert found.values["scatter"] == pytest.approx(0.2, abs=3 * found.errors["scatter"])
        assert found.values["spread"] == pytest.approx(np.hypot(0.2, 0.6 * 3 / np.sqrt(12)), rel=0.03)
        assert found.errors["scatter"] == pytest.approx(0.2 / np.sqrt(2 * 4000), rel=0.4)
        assert relate(x, y, seed=1, draws=100) == found

    def test_from_the_mirror(self, shared_data, monkeypatch):
        monkeypatch.setenv("DMLIB_MIRROR", str(shared_data))
        assert sparc.load_example(QTable(), None).galaxy == "NGC 6503"
        population = sparc.load_population(QTable())
        assert population.meta["source"] == "SPARC" and len(population) > 50
        assert np.all(population["m_dark"] > 0 * u.M_sun)
        with pytest.raises(SparcError, match="NGC9999"):
            sparc.load_example(QTable(), None, "NGC9999")

    def test_without_sparc_the_universe_stands_in(self, monkeypatch):
        """The reason is kept, and shown by the chapter."""

        def refuse(*_, **__):
            raise FetchError("sparc-rotmod: no network.")

        sample = QTable(
            {
                "subhalo_id": [3, 7],
                "m_star": [1e10, 3e10] * u.M_sun,
                "m_dm": [5e11, 9e11] * u.M_sun,
                "v_max": [150, 190] * u.km / u.s,
            }
        )
        monkeypatch.setattr(sparc, "fetch", refuse)
        monkeypatch.setattr(sparc, "_stand_in", lambda sample, universe, note: note)
        assert "no network" in sparc.load_example(sample, None)
        population = sparc.load_population(sample)
        assert population.meta["source"] is None and list(population["galaxy"]) == ["3", "7"]

    def test_a_damaged_mirror_is_not_passed_over(self, tmp_path, monkeypatch):
        (tmp_path / "sparc").mkdir()
        (tmp_path / "sparc/SPARC_Lelli2016c.mrt").write_text("<html>")
        monkeypatch.setenv("DMLIB_MIRROR", str(tmp_path))
        monkeypatch.setenv("DMLIB_DATA", str(tmp_path / "cache"))
        with pytest.raises(FetchError, match=r"sparc-table.*mirror"):
            sparc.load_example(QTable(), None)
