"""Observed sequences, colours of the embedded galaxies, rings, and the committed record of a real image."""

import numpy as np
import pytest

from dmlib import embedded, load
from dmlib.errors import GalaxyError
from dmlib.galaxy import Galaxy
from dmlib.observe import images as bands
from dmlib.observe.images.light import ParticleLight, star_luminosities
from dmlib.observe.images.portraits import (
    catalogue_magnitudes,
    divider,
    dusty_magnitudes,
    portrait,
    quiescent,
    sequence,
)
from dmlib.observe.images.published import box_view
from dmlib.observe.sky import SkyGrid
from dmlib.sample import select
from dmlib.universe import FilesUniverse
from image_toys import galaxy, stars


@pytest.fixture(scope="module")
def universe(smoke_universe):
    return FilesUniverse(smoke_universe.universe_dir / "output", simulation="embedded", snapshot=99)


def test_the_divider_lies_between_the_sequences():
    m_r = np.linspace(-22.5, -17.0, 23)
    (red, red_spread), (blue, blue_spread) = sequence("red", m_r), sequence("blue", m_r)
    assert np.all((blue < divider(m_r)) & (divider(m_r) < red))
    assert np.all((red_spread > 0.05) & (red_spread < blue_spread))
    # Baldry et al. (2004), abstract: shallow slopes of about -0.04 and -0.05 far from the transitions.
    for name, slope in (("red", -0.04), ("blue", -0.05)):
        faint = sequence(name, np.array([-15.5, -16.0]))[0]
        assert (faint[0] - faint[1]) / 0.5 == pytest.approx(slope, abs=0.02)


def test_catalogue_and_particles_have_the_same_light(universe):
    sample = select(universe)[0]
    ids = np.asarray(sample["subhalo_id"])[:5]
    table, set_aside = dusty_magnitudes(universe, ids, ParticleLight(), seed=1)
    assert not set_aside and list(table["subhalo_id"]) == list(ids)
    np.testing.assert_allclose(table["bare"], catalogue_magnitudes(universe, ids), atol=0.02)
    dimming = table["dusty"] - table["bare"]
    assert np.all(dimming >= 0) and np.all(dimming[:, 1] >= dimming[:, 4])
    assert np.all((table["inclination"].value >= 0) & (table["inclination"].value <= 90))


def test_quiescent_and_sampled_galaxies_are_apart(universe):
    passive, sample = quiescent(universe), select(universe)[0]
    assert len(passive) and not set(passive) & set(np.asarray(sample["subhalo_id"]))
    # The quiescent ones lie on the observed red sequence, the sampled ones on average bluer than the divider.
    red = catalogue_magnitudes(universe, passive)
    assert abs(np.median(red[:, 0] - red[:, 2] - sequence("red", red[:, 2])[0])) < 0.15
    blue = catalogue_magnitudes(universe, np.asarray(sample["subhalo_id"]))
    assert np.median(blue[:, 0] - blue[:, 2] - divider(blue[:, 2])) < 0


def test_a_galaxy_without_an_axis_is_set_aside(universe, monkeypatch):
    def no_axis(galaxy, component="stars"):
        raise GalaxyError(f"{galaxy.name} has no rotating {component}")

    monkeypatch.setattr(Galaxy, "spin_axis", no_axis)
    table, set_aside = dusty_magnitudes(universe, [3], ParticleLight(), seed=1)
    assert len(table) == 0 and "subhalo 3" in set_aside[3]


def test_rings_of_an_even_image():
    grid = SkyGrid(40.0, 80)
    radius, rings = bands.ring_brightness(
        {"even": np.full((80, 80, 5), 1e7), "dark": -np.ones((80, 80, 5))}, grid, bins=8
    )
    assert radius[0] == pytest.approx(1.25) and radius[-1] == pytest.approx(18.75)
    np.testing.assert_allclose(rings["even"], bands.surface_magnitude(np.full((1, 5), 1e7))[0, 2])
    assert np.isnan(rings["dark"]).all()


def test_a_field_that_holds_all_holds_all_light():
    toy = galaxy(stars(np.random.default_rng(3).normal(0, 30, (500, 3)), hsml=8.0))
    grid = SkyGrid(500.0, 100)
    image = ParticleLight(dust=None).image(toy, box_view(7), grid)
    np.testing.assert_allclose(image.sum(axis=(0, 1)) * grid.pixel_area, star_luminosities(toy).sum(axis=0), rtol=1e-12)


def test_real_galaxies_have_the_colours_of_the_observed_sequences():
    """Stars of real TNG galaxies against the observed sequences; and that ours are like them, see the chapter."""
    kept = load.record("colours_tng100_subset")
    for name, which, expected in (("star-forming", "blue", -0.25), ("quiescent", "red", 0.0)):
        rows = {key: np.array(values) for key, values in kept["measured"][name].items()}
        offset = np.median(rows["u_r"] - sequence(which, rows["m_r"])[0])
        assert offset == pytest.approx(expected, abs=0.05)


def test_portrait_of_a_written_galaxy(smoke_universe):
    universe = FilesUniverse(smoke_universe.universe_dir / "output", simulation="embedded")
    drawn = embedded.population(smoke_universe).subhalos
    for subhalo_id in embedded.examples(drawn).values():
        p = portrait(universe, subhalo_id, n=64)
        assert p.face_on.shape == (64, 64, 3) and p.hi.shape == (64, 64)
        assert (p.face_on >= 0).all() and np.isfinite(p.edge_on).all()
        # The light of the disc lies nearer to the middle line when it is seen edge-on.
        rows = np.abs(np.arange(64) - 31.5)[:, None]
        heights = [(image[..., 1] * rows).sum() / image[..., 1].sum() for image in (p.edge_on, p.face_on)]
        assert heights[0] < heights[1]
