"""HI of the embedded universe's galaxies: cells, views and maps, end to end."""

import numpy as np
import pytest
from astropy import units as u

from dmlib.errors import GalaxyError
from dmlib.figures import observations as figures
from dmlib.figures.style import csv_text
from dmlib.galaxy import load_galaxy
from dmlib.observe import moments as moments_module
from dmlib.observe.cube import HISettings
from dmlib.observe.deposit import observe
from dmlib.observe.hydrogen import HYDROGEN_FIELDS, HIGas, disc_profiles, hydrogen
from dmlib.observe.moments import (
    channel_maps,
    find_emission,
    global_profile,
    moment_maps,
    normalise,
    position_velocity,
    recovered_masses,
)
from dmlib.observe.sky import SkyGrid, lines_of_sight
from dmlib.sample import select
from dmlib.universe import FilesUniverse

GRID = SkyGrid(128.0, 64)


@pytest.fixture(scope="module")
def universe(smoke_universe):
    return FilesUniverse(smoke_universe.universe_dir / "output", simulation="embedded", snapshot=99)


@pytest.fixture(scope="module")
def sample(universe):
    table, _ = select(universe)
    return table


@pytest.fixture(scope="module")
def rich(sample):
    """A central galaxy with much star formation."""
    centrals = sample[sample["is_true_central"]]
    return int(centrals["subhalo_id"][np.argsort(centrals["sfr"])[-4]])


def with_gas(universe, subhalo_id, scope="group"):
    return load_galaxy(universe, subhalo_id, ["gas"], scope=scope, extra={"gas": HYDROGEN_FIELDS})


def test_cells_are_centred_and_complete(universe, rich):
    gas = with_gas(universe, rich, "subhalo").gas
    assert set(gas.fields) == set(HYDROGEN_FIELDS)
    assert len(with_gas(universe, rich).gas) >= len(gas)
    # A disc about the centre, not a box length away.
    assert np.median(gas.radius) < 300.0
    parts = hydrogen(gas.fields)
    assert np.all(parts.m_hi >= 0) and np.all(parts.m_h2 >= 0)
    assert 0.6 < np.average(gas.extra["GFM_Metals"][:, 0], weights=gas.mass) < 0.8


def test_the_receding_side_is_where_the_view_says(universe, rich):
    gas = HIGas.of(with_gas(universe, rich, "subhalo"))
    spin = gas.spin_axis()
    for view in lines_of_sight(rich, spin, seed=1, mode=[(60.0, 45.0), (60.0, 160.0)]):
        maps = moment_maps(observe(gas, view, GRID, HISettings().without("noise"), seed=1))
        x, y = GRID.mesh()
        weight = np.where(maps.seen, maps.surface_density * maps.velocity, 0.0)
        angle = np.degrees(np.arctan2(-(weight * x).sum(), (weight * y).sum()))
        assert np.cos(np.radians(angle - view.position_angle)) > np.cos(np.radians(20.0))


def test_mass_in_the_map_is_the_mass_in_the_field(universe, rich):
    gas = HIGas.of(with_gas(universe, rich))
    (view,) = lines_of_sight(rich, gas.spin_axis(), 1, seed=1)
    maps = moment_maps(observe(gas, view, GRID, HISettings().without("noise"), seed=1), floor=0.0)
    x, y, _ = view.project(gas.positions).T
    in_band = np.abs(view.project(gas.velocities)[:, 2]) < 505.0
    inside = gas.m_hi[(np.abs(x) < 64.0) & (np.abs(y) < 64.0) & in_band].sum()
    assert maps.m_hi == pytest.approx(inside, rel=0.02)


def test_recovered_masses(universe, sample, monkeypatch):
    ids = [int(i) for i in sample["subhalo_id"][::8]]
    real = moments_module.load_hi

    def without_gas(tree, subhalo_id, settings):
        if subhalo_id == ids[1]:
            raise GalaxyError(f"subhalo {subhalo_id} has no gas cells")
        return real(tree, subhalo_id, settings)

    monkeypatch.setattr(moments_module, "load_hi", without_gas)
    table, set_aside = recovered_masses(universe, ids, GRID, HISettings(), seed=1)
    assert set_aside == {ids[1]: f"subhalo {ids[1]} has no gas cells"}
    assert list(table["subhalo_id"]) == [i for i in ids if i != ids[1]]
    assert table["m_hi_present"].unit == u.Msun
    share = (table["m_hi_found"] / table["m_hi_present"]).value
    assert np.all(share < 1.3) and np.median(share[table["m_hi_present"] > 3e9 * u.Msun]) > 0.8
    assert "share" in csv_text(figures.recovery(table))


def test_figures_draw_and_remember(universe, rich):
    group = with_gas(universe, rich)
    gas = HIGas.of(group)
    (view,) = lines_of_sight(rich, gas.spin_axis(), seed=1, mode=[(60.0, 30.0)])
    cube = observe(gas, view, GRID, HISettings(), seed=1)
    maps = moment_maps(cube)
    edges = np.linspace(0.0, 40.0, 11)
    rings = disc_profiles(group.gas, gas.spin_axis(), edges)
    radius = np.linspace(1.0, 50.0, 20)
    for figure, series in (
        (figures.partition(edges, rings), "HI, leroy08"),
        (figures.channels(cube, *channel_maps(cube, 6), 50.0), "flux of the channels shown"),
        (figures.moments({"one": maps}, 50.0, 200.0), "one, row through the centre"),
        (figures.inclinations({"a": maps, "b": maps}, 50.0, 200.0), "b, row through the centre"),
        (
            figures.position_velocity(cube, *position_velocity(cube, 30.0), radius, 100 + radius, 50.0),
            "brightest channel",
        ),
        (figures.spectra({"60°": global_profile(cube, find_emission(cube))}), "60°"),
        (figures.maps_as_input({"i": normalise(maps)}), "i, middle row"),
    ):
        assert series in csv_text(figure)
