"""Dust: the column in front and only in front, the formula by hand, reddening, and its errors."""

import numpy as np
import pytest

from dmlib.errors import GalaxyError
from dmlib.observe import images as bands
from dmlib.observe.images import dust
from dmlib.observe.images.dust import Dust, columns_in_front
from dmlib.observe.images.light import ParticleLight, star_luminosities
from dmlib.observe.images.published import box_view
from dmlib.observe.sky import SkyGrid, View, rotation_to
from image_toys import galaxy, gas, stars
from mocktng.stars import birth_scale_factor

# Hydrogen nuclei per cm^2 of 1 Msun/kpc^2: 1.989e33 g / 1.6726e-24 g / (3.0857e21 cm)^2.
ATOMS = 1.98841e33 / 1.67262e-24 / 3.085678e21**2


def slab(n=40, side=20.0, mass=4e8, z=0.0, **kw):
    """An even sheet of cells, n x n, across the line of sight; `mass` in all."""
    axis = (np.arange(n) - (n - 1) / 2) * side / n
    x, y = np.meshgrid(axis, axis)
    position = np.column_stack([x.ravel(), y.ravel(), np.full(n * n, z)])
    return gas(position, mass=mass / n**2, radius=side / n, **kw)


def test_column_is_that_of_the_gas_in_front():
    lights = stars([[0.0, 0.0, 3.0], [0.0, 0.0, -3.0], [2.3, -1.7, -1.0], [2.3, -1.7, 1.0]])
    toy = galaxy(lights, slab())
    n_h, metallicity = Dust().columns(toy, box_view(7))
    expected = 4e8 / 20.0**2 * ATOMS
    np.testing.assert_allclose(n_h[[1, 2]], expected, rtol=5e-3)
    np.testing.assert_array_equal(n_h[[0, 3]], 0.0)
    np.testing.assert_allclose(metallicity, [0.0, 0.0127, 0.0127, 0.0], rtol=1e-6)


def test_column_follows_the_view():
    toy = galaxy(stars([[0.0, 0.0, -3.0]]), slab())
    behind = View(7, 0, np.diag([1.0, -1.0, -1.0]), 0.0, np.nan)
    n_h, _ = Dust().columns(toy, behind)
    assert n_h[0] == 0.0


def test_another_galaxy_has_other_gas():
    lights, model = stars([[0.0, 0.0, -3.0]]), Dust()
    (one,), (twice,) = (model.columns(galaxy(lights, slab(mass=mass)), box_view(7))[0] for mass in (4e8, 8e8))
    assert twice == pytest.approx(2.0 * one)


def test_kernels_keep_the_mass_of_the_gas():
    rng = np.random.default_rng(4)
    cells = np.column_stack([rng.uniform(-3, 3, (50, 2)), np.full(50, 1.0)])
    # Stars on a fine raster behind the gas integrate the column over the sky.
    axis = np.arange(-8, 8, 0.25) + 0.125
    x, y = np.meshgrid(axis, axis)
    raster = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, -5.0)])
    columns = columns_in_front(raster, cells, rng.uniform(0.1, 4.0, 50), np.ones((50, 1)), 0.5)
    assert columns.sum() * 0.25**2 == pytest.approx(50.0, rel=1e-2)


def test_metals_dim_and_pristine_gas_does_not():
    lights = stars([[0.0, 0.0, -3.0]])
    share = {z: Dust().transmission(galaxy(lights, slab(metallicity=z)), box_view(7))[0] for z in (0.0, 0.006, 0.0127)}
    np.testing.assert_allclose(share[0.0], 1.0)
    assert np.all(share[0.0127] < share[0.006]) and np.all(share[0.006] < 1.0)
    # Blue light suffers more.
    assert np.all(np.diff(share[0.0127]) > 0)


def test_optical_depth_by_hand():
    # N_H = N_H0 at solar metallicity: the curve times the share that scattering leaves.
    depth = Dust().optical_depth(np.array([dust.N_H0]), np.array([0.0127]))[0]
    wavelength = bands.per_band("wavelength")
    np.testing.assert_allclose(depth, dust.extinction_curve(wavelength) * dust.scattering_factor(wavelength))
    richer = Dust().optical_depth(np.array([dust.N_H0]), np.array([0.0127 * 2]))[0]
    np.testing.assert_allclose(richer / depth, 2.0**1.6)


def test_extinction_curve_has_published_values():
    # Cardelli, Clayton & Mathis (1989), table 3, R_V = 3.1: U V R I J of Johnson; in B, R_V itself: 1 + 1 / 3.1.
    wavelength = 1e3 / np.array([2.78, 2.27, 1.82, 1.43, 1.11, 0.80])
    published = [1.569, 1.0 + 1.0 / 3.1, 1.000, 0.751, 0.479, 0.282]
    np.testing.assert_allclose(dust.extinction_curve(wavelength), published, rtol=0.01)
    with pytest.raises(ValueError, match="303"):
        dust.extinction_curve(np.array([200.0]))


def test_scattering_lets_out_more_than_absorption_alone():
    factor = dust.scattering_factor(bands.per_band("wavelength"))
    assert np.all((factor > 0.4) & (factor < 0.95))


def test_geometries():
    toy = galaxy(stars([[0.0, 0.0, -3.0]]), slab())
    depth = Dust().optical_depth(*Dust().columns(toy, box_view(7)))
    screen = Dust(geometry="screen").transmission(toy, box_view(7))
    mixed = Dust().transmission(toy, box_view(7))
    np.testing.assert_allclose(screen, np.exp(-depth))
    np.testing.assert_allclose(mixed, (1 - np.exp(-depth)) / depth)
    assert np.all(mixed > screen)
    with pytest.raises(ValueError, match="internal or screen"):
        Dust(geometry="cloud")


def test_the_youngest_stars_are_in_clouds():
    young, old = birth_scale_factor(np.array([0.005, 0.02]))
    toy = galaxy(stars(np.zeros((2, 3)), born=[young, old]))
    share = Dust().transmission(toy, box_view(7))
    np.testing.assert_allclose(share[1], 1.0)
    np.testing.assert_allclose(-np.log(share[0]), (bands.per_band("wavelength") / 550.0) ** -0.7)
    np.testing.assert_allclose(Dust(birth_clouds=False).transmission(toy, box_view(7)), 1.0)


def test_ages_are_those_that_stars_were_given():
    age = np.array([0.003, 0.5, 5.0, 12.0])
    np.testing.assert_allclose(dust.age(birth_scale_factor(age)), age, rtol=2e-3, atol=1e-4)
    assert dust.age(1.0) == 0.0


def test_a_galaxy_without_gas_keeps_its_light():
    toy = galaxy(stars(np.zeros((4, 3))))
    light = ParticleLight()
    np.testing.assert_allclose(light.luminosities(toy, box_view(7)), star_luminosities(toy))


def test_ionised_gas_does_not_dim():
    toy = galaxy(stars([[0.0, 0.0, -3.0]]), slab(neutral=0.0))
    np.testing.assert_allclose(Dust().transmission(toy, box_view(7)), 1.0)


def test_damaged_gas_is_named():
    broken = slab()
    broken.extra["GFM_Metallicity"][5] = np.inf
    with pytest.raises(GalaxyError, match="subhalo 7: gas field GFM_Metallicity holds 1"):
        Dust().columns(galaxy(stars(np.zeros((1, 3))), broken), box_view(7))


def test_a_dusty_disc_is_redder_and_fainter_edge_on():
    rng = np.random.default_rng(5)

    def layer(n, height):
        radius, angle = rng.exponential(3.0, n), rng.uniform(0, 2 * np.pi, n)
        return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), rng.normal(0, height, n)])

    toy = galaxy(stars(layer(3000, 0.5)), gas(layer(1000, 0.2), mass=3e6, radius=0.6))
    grid = SkyGrid(60.0, 30)
    magnitude = {}
    for inclination in (0.0, 60.0, 90.0):
        rotation = rotation_to(np.array([0.0, 0.0, 1.0]), inclination)
        image = ParticleLight().image(toy, View(7, 0, rotation, inclination, 0.0), grid)
        magnitude[inclination] = -2.5 * np.log10(image.sum(axis=(0, 1)))
    assert magnitude[90.0][2] > magnitude[60.0][2] > magnitude[0.0][2]
    assert (magnitude[90.0][1] - magnitude[90.0][3]) > (magnitude[0.0][1] - magnitude[0.0][3])


@pytest.mark.parametrize("n", [1, 2, 3000])
def test_cells_and_stars_at_one_depth_keep_their_order(n):
    depth = np.random.default_rng(n).standard_normal(n) ** 5
    for values in (depth, np.round(depth, 1), np.append(depth, [1e6, -1e6]), np.zeros(n)):
        np.testing.assert_array_equal(dust._falling(values), np.argsort(-values, kind="stable"))
