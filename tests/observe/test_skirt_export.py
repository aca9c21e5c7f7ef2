"""Export: units, wind, wrap, the ages, the young, the dust; and that no light is lost on the way."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from dmlib.errors import GalaxyError
from dmlib.galaxy import load_galaxy
from dmlib.observe.images import BANDS, UGRIZ
from dmlib.observe.images.light import star_luminosities
from dmlib.observe.images.published import box_view
from dmlib.observe.skirt import SkirtError, SkirtSettings, tables
from dmlib.observe.skirt.export import GAS_FIELDS, STAR_FIELDS, export
from dmlib.observe.sky import SkyGrid
from dmlib.sample import select
from dmlib.universe.files import FilesUniverse
from fake_skirt import cut, interpolate, power_law_integrals, read_stored_table
from skirt_toys import GRID, Columns, galaxy, gas, lopsided, some_views, stars

OWN = SkirtSettings(library="self-contained")


def exported_light(folder):
    """Light of all exported stars [Lsun of the band], from the files alone."""
    axes, table = read_stored_table(folder / "population.stab")
    rows = Columns(folder / "stars.txt")
    spectra = rows["initial mass"][:, None] * interpolate(axes, table, rows["metallicity"], rows["age"])
    light = []
    for band in UGRIZ:
        curve = Columns(folder / f"band_{band}.txt")["wavelength"] * 1e-6
        grid, level = cut(axes[0], spectra, curve[0], curve[-1])
        mean = power_law_integrals(grid, level).sum() / (curve[-1] - curve[0])
        l_nu = mean * curve[0] * curve[-1] / 2.99792458e8
        sun = 4 * np.pi * 3.08567758e17**2 * 3631e-26 * 10 ** (-0.4 * BANDS[band].m_sun)
        light.append(l_nu / sun)
    return np.array(light)


@pytest.fixture(scope="module")
def universe(smoke_universe):
    return FilesUniverse(smoke_universe.universe_dir / "output", simulation="embedded")


@pytest.fixture(scope="module")
def real(universe):
    """The galaxy of the sample that lies nearest to the edge of the box, with its group."""
    sample, _ = select(universe)
    box = universe.header.units.box_kpc
    position = universe.subhalos(["SubhaloPos"], np.asarray(sample["subhalo_id"]))["SubhaloPos"].to_value("kpc")
    near = np.argmin(np.minimum(position, box - position).min(axis=1))
    fields = {"stars": STAR_FIELDS, "gas": GAS_FIELDS}
    return load_galaxy(universe, int(sample["subhalo_id"][near]), scope="group", extra=fields)


def test_exported_light_is_the_particle_light(tmp_path, real):
    wide = SkyGrid(8000.0, 16)
    written = export(real, some_views(1), wide, OWN, tmp_path)
    expected = star_luminosities(real).sum(axis=0)
    np.testing.assert_allclose(exported_light(tmp_path) / expected, 1.0, atol=0.01)
    # On the embedded universe it is the same model, so it is far better than that.
    np.testing.assert_allclose(exported_light(tmp_path) / expected, 1.0, atol=1e-3)
    np.testing.assert_allclose(written.budget, 1.0, atol=1e-3)


def test_another_population_model_shows_in_the_budget(tmp_path, real):
    brighter = np.array(real.stars.extra["GFM_StellarPhotometrics"]) - 0.1
    extra = {**real.stars.extra, "GFM_StellarPhotometrics": brighter}
    other = galaxy(type(real.stars)(real.stars.position, real.stars.velocity, real.stars.mass, extra))
    written = export(other, some_views(1), GRID, OWN, tmp_path)
    np.testing.assert_allclose(written.budget, 10**-0.04, rtol=2e-3)
    said = json.loads((tmp_path / "export.json").read_text())
    assert said["light_over_particle_light"]["r"] == pytest.approx(10**-0.04, rel=2e-3)


def test_a_galaxy_across_the_edge_of_the_box_is_whole_and_has_no_wind(tmp_path, universe, real):
    raw = universe.particles(real.group_id, "stars", ["Coordinates", "GFM_StellarFormationTime"], "group")
    box = universe.header.units.box_kpc
    # What the file holds lies on both sides of the box, and some of it is wind: the test would say nothing otherwise.
    assert np.ptp(raw["Coordinates"], axis=0).max() > 0.9 * box
    wind = raw["GFM_StellarFormationTime"] <= 0
    assert wind.any()
    export(real, some_views(1), SkyGrid(8000.0, 16), OWN, tmp_path)
    rows = Columns(tmp_path / "stars.txt")
    assert len(rows["age"]) == (~wind).sum()
    assert max(np.abs(rows[f"position {axis}"]).max() for axis in "xyz") < 0.1e3 * box


def test_stars_that_reach_into_the_field_are_written(tmp_path, real):
    grid = SkyGrid(60.0, 16)
    export(real, [box_view(real.subhalo_id)], grid, OWN, tmp_path)
    rows = Columns(tmp_path / "stars.txt")
    kpc = np.column_stack([rows[f"position {axis}"] for axis in "xyz"]) / 1e3
    size = rows["smoothing length"] / 1e3
    assert np.all(np.abs(kpc[:, :2]).max(axis=1) - size < 30.0)
    inside = np.abs(real.stars.position[:, :2]).max(axis=1) - real.stars.extra["StellarHsml"] < 30.0
    assert len(rows["age"]) == inside.sum() <= len(real.stars)
    np.testing.assert_allclose(np.sort(kpc[:, 0]), np.sort(real.stars.position[inside, 0]), atol=1e-5)
    assert np.all(rows["age"] > 0) and rows["age"].max() < 13.9e9


def test_units_are_in_the_headers_and_the_values_in_them(tmp_path):
    toy = galaxy(stars([[1.0, -2.0, 3.0]], 5.0, metallicity=0.01, m_initial=2e6, hsml=0.5))
    export(toy, some_views(1), GRID, OWN, tmp_path)
    rows = Columns(tmp_path / "stars.txt")
    assert rows.units == ("pc", "pc", "pc", "pc", "Msun", "1", "yr")
    np.testing.assert_allclose(rows.values_of_rows[0], [1e3, -2e3, 3e3, 500.0, 2e6, 0.01, 5e9], rtol=1e-4)


def test_the_young_are_star_forming_regions(tmp_path):
    toy = galaxy(stars(np.eye(3), [5.0, 0.009, 0.011], m_initial=[1e6, 2e6, 4e6], metallicity=[0.02, 0.05, 0.02]))
    written = export(toy, some_views(1), GRID, SkirtSettings(dust=False), tmp_path)
    assert (written.rows["stars"], written.rows["young"]) == (2, 1)
    young = Columns(tmp_path / "young.txt")
    assert young.units == ("pc", "pc", "pc", "pc", "Msun/yr", "1", "1", "Pa", "1")
    assert young["star formation rate"] == pytest.approx([0.2])
    # Beyond twice solar MAPPINGS III has no template, and SKIRT would draw nothing.
    assert 0.0249 < young["metallicity"][0] < 0.025
    # log P/k = 5 [K/cm^3] in pascal.
    assert young["pressure"][0] == pytest.approx(1e5 * 1e6 * 1.380649e-23)
    assert (young["compactness"][0], young["covering factor"][0]) == (5.0, 0.2)
    np.testing.assert_allclose(Columns(tmp_path / "stars.txt")["initial mass"], [1e6, 4e6])


def test_a_second_export_leaves_nothing_of_the_first(tmp_path):
    toy = galaxy(stars(np.eye(3), [5.0, 0.002, 1.0]), gas([[0.0, 0.0, 0.0]]))
    export(toy, some_views(1), GRID, SkirtSettings(), tmp_path)
    assert (tmp_path / "young.txt").exists() and (tmp_path / "gas.txt").exists()
    export(toy, some_views(1), GRID, SkirtSettings(library="self-contained", dust=False), tmp_path)
    assert not (tmp_path / "young.txt").exists() and not (tmp_path / "gas.txt").exists()


def test_dust_is_in_the_cells_that_form_stars(tmp_path):
    cells = gas([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [4.0, 0.0, 0.0]], forming=[1, 0, 1], mass=[1e7, 2e7, 4e7])
    toy = galaxy(stars([[0.0, 0.0, 0.0]], 5.0), cells)
    export(toy, some_views(1), GRID, OWN, tmp_path)
    rows = Columns(tmp_path / "gas.txt")
    np.testing.assert_allclose(rows["mass"], [1e7, 4e7])
    # The kernel of MARTINI's TNGSource: support of 2.5 cell radii.
    np.testing.assert_allclose(rows["smoothing length"], 2500.0, rtol=1e-6)
    # A Voronoi mesh needs all cells; those without dust have no density.
    export(toy, some_views(1), GRID, SkirtSettings(medium="voronoi"), tmp_path)
    rows = Columns(tmp_path / "gas.txt")
    density = cells.extra["Density"] * 1e-9
    np.testing.assert_allclose(rows["mass density"], density * [1, 0, 1], rtol=1e-6)
    # Neutral hydrogen of 50 (km/s)^2 has 4000 K: dusty where cold cells may be.
    cells.extra["InternalEnergy"][:] = 50.0
    export(toy, some_views(1), GRID, SkirtSettings(dusty="cold", medium="voronoi"), tmp_path)
    np.testing.assert_allclose(Columns(tmp_path / "gas.txt")["mass density"], density, rtol=1e-6)


def test_a_cell_is_as_opaque_as_the_milky_ways_gas_with_as_much_dust(tmp_path):
    """Mass, size, metals, share of dust and extinction, as SKIRT will put them together, against A_V per hydrogen."""
    toy = galaxy(stars([[0.0, 0.0, 0.0]], 5.0), gas([[0.0, 0.0, 0.0]], mass=1e8, radius=1.0, metallicity=0.02))
    written = export(toy, some_views(1), GRID, OWN, tmp_path)
    cell, mix = Columns(tmp_path / "gas.txt"), Columns(tmp_path / "dust.txt")
    share = float(ElementTree.parse(written.ski).getroot().find(".//ParticleMedium").get("massFraction"))
    # Through the middle of a cubic spline the column is 6/pi of mass over support squared (columnDensity(0) in
    # CubicSplineSmoothingKernel.cpp); in kg and m.
    parsec, sun = 3.08567758e16, 1.98847e30
    gas_column = 6 / np.pi * cell["mass"][0] * sun / (cell["smoothing length"][0] * parsec) ** 2
    extinction = np.interp(0.55, mix["wavelength"], mix["extinction mass coefficient"])
    a_v = 2.5 / np.log(10) * extinction * share * cell["metallicity"][0] * gas_column
    # The toy is hydrogen only. In the Milky Way 1.87e21 atoms/cm^2 have A_V = 1 and 1.87e-26 g of dust each.
    atoms = gas_column / 1.6735e-27 * 1e-4
    dust_per_atom = 0.3 * 0.02 * 1.6735e-24
    assert a_v == pytest.approx(atoms / 1.87e21 * dust_per_atom / 1.87e-26, rel=0.03)


def test_dust_of_a_real_galaxy(tmp_path, real):
    written = export(real, some_views(1), SkyGrid(8000.0, 16), OWN, tmp_path)
    rows = Columns(tmp_path / "gas.txt")
    forming = real.gas.extra["StarFormationRate"] > 0
    metals = (real.gas.mass * real.gas.extra["GFM_Metallicity"])[forming].sum()
    assert np.sum(rows["mass"] * rows["metallicity"]) == pytest.approx(metals, rel=1e-6)
    low, high = written.domain.T
    kpc = np.column_stack([rows[f"position {axis}"] for axis in "xyz"]) / 1e3
    reach = rows["smoothing length"][:, None] / 1e3
    assert np.all(kpc - reach >= low - 1e-5) and np.all(kpc + reach <= high + 1e-5)


def test_what_cannot_be_drawn_is_named(tmp_path):
    with pytest.raises(GalaxyError, match="subhalo 7 has no stars"):
        export(galaxy(stars(np.zeros((0, 3)), np.zeros(0))), some_views(1), GRID, OWN, tmp_path)
    with pytest.raises(GalaxyError, match="subhalo 7 has no stars in the field of 32 kpc"):
        export(galaxy(stars([[100.0, 100.0, 100.0]], 5.0)), [box_view(7)], GRID, OWN, tmp_path)
    broken = lopsided()
    broken.stars.extra["GFM_Metallicity"][3] = np.nan
    with pytest.raises(SkirtError, match=r"stars\.txt: column 'metallicity'"):
        export(broken, some_views(1), GRID, OWN, tmp_path)


def test_description_of_the_folder(tmp_path):
    views = some_views(2)
    export(lopsided(), views, GRID, OWN, tmp_path)
    said = json.loads((tmp_path / "export.json").read_text())
    ran = SkirtSettings(**said["settings"])
    assert ran.packets >= 1e5 and ran.model_copy(update={"packets": None, "cell": None}) == OWN
    np.testing.assert_allclose(said["views"][1]["rotation"], views[1].rotation)
    assert said["rows"]["stars"] == 1200 and said["ski"] == "subhalo_7.ski"
    assert tables.AGE_LIMITS[0] < Columns(tmp_path / "stars.txt")["age"].min()


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("stars", "GFM_InitialMass", 0.0),
        ("gas", "Density", np.nan),
        ("gas", "Density", 0.0),
        ("gas", "GFM_Metals", np.nan),
    ],
)
def test_damaged_particles_are_named_and_not_left_out(tmp_path, name, key, value):
    whole = galaxy(stars(np.eye(3), [1.0, 5.0, 9.0]), gas(np.eye(3)))
    part = getattr(whole, name)
    part.extra[key].flat[0] = value
    with pytest.raises(GalaxyError, match=f"{key} holds 1 values that are not finite"):
        export(whole, some_views(1), GRID, OWN, tmp_path)
