"""Cubes: the fast path against MARTINI voxel by voxel, flux, noise, geometry and conventions."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from martini import DataCube, L_coords, Martini
from martini.sources import SPHSource
from martini.spectral_models import DiracDeltaSpectrum
from martini.sph_kernels import DiracDeltaKernel
from pydantic import ValidationError

from analytic_disc import SPIN, disc
from dmlib.errors import GalaxyError
from dmlib.observe.cube import MSUN_PER_JY_KMS_MPC2, HISettings
from dmlib.observe.deposit import noise_seed, observe, observe_with_martini
from dmlib.observe.sky import SkyGrid, lines_of_sight

GRID = SkyGrid(128.0, 64)


def view(inclination=60.0, position_angle=30.0):
    return lines_of_sight(1, SPIN, seed=0, mode=[(inclination, position_angle)])[0]


def mass_in(cube):
    jansky_kms = cube.data.sum() * cube.settings.channel_width * cube.pixel**2 / cube.area
    return MSUN_PER_JY_KMS_MPC2 * cube.settings.distance**2 * jansky_kms


@pytest.fixture(scope="module")
def ragged():
    """A disc whose kernels are of every size: points, Gaussians, splines, and some wider than allowed."""
    gas = disc(3000)
    rng = np.random.default_rng(5)
    return replace(gas, fwhm=10 ** rng.uniform(-0.6, 1.3, 3000), temperature=10 ** rng.uniform(3, 5, 3000))


@pytest.mark.parametrize(
    "settings",
    [
        HISettings(),
        HISettings(distance=5.0, beam=200.0, v_max=250.0),  # so near that lines of sight diverge
        HISettings(line_width="thermal").without("noise"),
        HISettings().without("beam"),
    ],
    ids=["as observed", "near", "thermal lines, no noise", "no beam"],
)
def test_fast_path_equals_martini(ragged, settings):
    fast = observe(ragged, view(), GRID, settings, seed=3)
    martini = observe_with_martini(ragged, view(), GRID, settings, seed=3)
    assert fast.data.shape == martini.data.shape == (settings.n_channels, 64, 64)
    # MARTINI works on the sky in degrees, through angles whose rounding is larger than that of a plane.
    assert np.abs(fast.data - martini.data).max() < 1e-7 * martini.data.max()


def test_all_hi_is_in_the_cube(ragged):
    for settings in (HISettings().without("noise"), HISettings().without("beam")):
        assert mass_in(observe(ragged, view(), GRID, settings, seed=0)) == pytest.approx(ragged.mass, rel=0.01)
    # A kernel that was cut to the largest width keeps its mass.
    wide = replace(ragged, fwhm=np.full(len(ragged.m_hi), 50.0))
    assert mass_in(observe(wide, view(), GRID, HISettings().without("beam"), seed=0)) == pytest.approx(
        ragged.mass, rel=0.01
    )


def test_noise_has_the_stated_level_and_its_own_seed(ragged):
    faint = replace(ragged, m_hi=ragged.m_hi * 1e-12)
    settings = HISettings(noise=1e-3)
    cube = observe(faint, view(), GRID, settings, seed=1)
    assert cube.data.std() == pytest.approx(1e-3, rel=0.02)
    assert abs(cube.data.mean()) < 1e-4
    assert np.array_equal(cube.data, observe(faint, view(), GRID, settings, seed=1).data)
    assert len({noise_seed(s, g, v) for s in (1, 2) for g in (1, 2) for v in (0, 1)}) == 8
    # The noise is smoothed by the beam: pixels next to each other go together, pixels two beams apart do not.
    together = np.mean(cube.data[:, :, 1:] * cube.data[:, :, :-1]) / cube.data.var()
    apart = np.mean(cube.data[:, :, 6:] * cube.data[:, :, :-6]) / cube.data.var()
    assert together > 0.7 and abs(apart) < 0.05


def test_one_particle_lies_where_it_should(ragged):
    """West is right, North is up, receding is positive, and nothing is mirrored."""
    face_on = lines_of_sight(1, [0.0, 0.0, 1.0], seed=0, mode=[(0.0, 0.0)])[0]
    west, north, near = face_on.rotation  # box-frame directions of the observer's axes
    gas = replace(
        ragged,
        positions=np.array([20.9 * west + 10.9 * north]),
        velocities=np.array([-100.0 * near + 70.0 * west]),
        m_hi=np.array([1e9]),
        fwhm=np.array([0.1]),
        temperature=np.array([8e3]),
    )
    for observer in (observe, observe_with_martini):
        cube = observer(gas, face_on, GRID, HISettings().without("beam"), seed=0)
        channel, row, column = np.unravel_index(cube.data.argmax(), cube.data.shape)
        assert abs(GRID.centres[column] - 20.9) < 1.0 and abs(GRID.centres[row] - 10.9) < 1.0
        assert cube.velocities[channel] == pytest.approx(100.0)


def test_hubble_flow_within_the_galaxy(ragged):
    """A particle 500 kpc behind, at rest in peculiar velocity, recedes with H0 times the depth (33.9 km/s)."""
    face_on = lines_of_sight(1, [0.0, 0.0, 1.0], seed=0, mode=[(0.0, 0.0)])[0]
    gas = replace(
        ragged,
        positions=0.3 * (face_on.rotation[:1] + face_on.rotation[1:2]) - 500.0 * face_on.rotation[2:],
        velocities=np.zeros((1, 3)),
        m_hi=np.array([1e9]),
        fwhm=np.array([1.0]),
        temperature=np.array([8e3]),
    )
    cube = observe(gas, face_on, GRID, HISettings(channel_width=2.0, v_max=100.0).without("noise"), seed=0)
    spectrum = cube.data.sum(axis=(1, 2))
    assert np.average(cube.velocities, weights=spectrum) == pytest.approx(33.87, abs=0.05)


@pytest.mark.parametrize("angle", [0.0, 50.0, 200.0, 310.0])
def test_martini_l_coords_recede_at_180_degrees_minus_pa(angle):
    """Why orientations are given to MARTINI as our own rotation and not as `L_coords`."""
    gas = disc(4000)
    source = SPHSource(
        distance=70 * u.Mpc,
        h=0.6774,
        L_coords=L_coords(incl=60 * u.deg, pa=angle * u.deg, az_rot=0 * u.deg),
        mHI_g=gas.m_hi * u.Msun,
        xyz_g=gas.positions * u.kpc,
        vxyz_g=gas.velocities * u.km / u.s,
        hsm_g=gas.fwhm * u.kpc,
        T_g=gas.temperature * u.K,
    )
    cube = DataCube(
        n_px_x=64,
        n_px_y=64,
        n_channels=41,
        px_size=6 * u.arcsec,
        channel_width=10 * u.km / u.s,
        spectral_centre=source.vsys,
    )
    martini = Martini(
        source=source,
        datacube=cube,
        sph_kernel=DiracDeltaKernel(),
        spectral_model=DiracDeltaSpectrum(),
        quiet=True,
    )
    martini.insert_source_in_cube(skip_validation=True, progressbar=False)
    assert np.all(np.diff(cube.velocity_channel_mids) < 0)  # the velocity axis descends
    v = (cube.velocity_channel_mids - source.vsys).to_value(u.km / u.s)
    maps = martini.datacube._array.value.transpose(2, 1, 0)
    moment = np.tensordot(v, maps, axes=1)
    x, y = np.meshgrid(np.arange(64) - 31.5, np.arange(64) - 31.5)
    # Flux-weighted direction in which velocity rises; the minor axis carries none.
    measured = np.degrees(np.arctan2(-(moment * x).sum(), (moment * y).sum()))
    # The projection shortens the minor axis, but on the major axis itself the direction is right.
    assert np.cos(np.radians(measured - (180.0 - angle))) > np.cos(np.radians(3.0))


def test_settings():
    with pytest.raises(ValidationError, match="less than a channel"):
        HISettings(v_max=5.0)
    assert HISettings(channel_width=5.0).n_channels == 201 and HISettings(channel_width=7.0).n_channels == 143
    with pytest.raises(ValidationError, match="noise needs a beam"):
        HISettings(beam=0.0)
    settings = HISettings()
    assert settings.without("beam").noise == 0.0
    assert settings.beam_kpc == pytest.approx(5.09, abs=0.01)
    # N_HI = 1.106e24 S dv / (b_maj b_min), the usual radio formula with Jy/beam, km/s and arcsec.
    assert settings.noise_column == pytest.approx(1.106e24 * 3e-4 * 10.0 / 15.0**2, rel=5e-3)
    assert settings.velocities[50] == 0.0 and settings.velocities[-1] == 500.0


def test_nothing_in_the_cube(ragged):
    elsewhere = replace(ragged, positions=ragged.positions + 1000.0)
    for observer in (observe, observe_with_martini):
        with pytest.raises(GalaxyError, match="subhalo 1 has no HI within 128 kpc"):
            observer(elsewhere, view(), GRID, HISettings(), seed=0)
