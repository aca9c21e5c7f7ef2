"""Cubes as FITS: sky and velocity axes as other programs read them."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS

from analytic_disc import SPIN, disc
from dmlib.observe.cube import HISettings
from dmlib.observe.cube_fits import write_fits
from dmlib.observe.deposit import observe
from dmlib.observe.sky import SkyGrid, lines_of_sight


@pytest.fixture(scope="module")
def cube():
    view = lines_of_sight(1, SPIN, seed=0, mode=[(60.0, 90.0)])[0]  # recedes in the East
    return observe(disc(3000), view, SkyGrid(128.0, 64), HISettings(), seed=1)


def test_axes_as_astropy_reads_them(cube, tmp_path):
    write_fits(cube, tmp_path / "cube.fits")
    with fits.open(tmp_path / "cube.fits") as file:
        header, data = file[0].header, file[0].data
    assert np.array_equal(data, cube.data.astype(np.float32))
    assert [p.name for p in tmp_path.iterdir()] == ["cube.fits"]
    wcs = WCS(header)
    channel, row, column = np.unravel_index(data[60:].argmax(), data[60:].shape)
    world = wcs.wcs_pix2world([[column, row, channel + 60]], 0)[0]
    # The receding side is East: at larger right ascension, with a velocity above the systemic one.
    right_ascension = (world[0] + 180.0) % 360.0 - 180.0
    assert right_ascension > 0
    assert world[2] == pytest.approx(1e3 * (cube.settings.v_systemic + cube.velocities[channel + 60]))
    assert world[2] > 1e3 * cube.settings.v_systemic
    distance = np.radians(right_ascension) * cube.settings.distance * 1e3
    assert distance == pytest.approx(-cube.grid.centres[column], rel=1e-3)
    assert header["BMAJ"] * u.deg == 15.0 * u.arcsec
    # The centre of the map is the galaxy.
    assert np.allclose(wcs.wcs_pix2world([[31.5, 31.5, 50]], 0)[0], [0.0, 0.0, 1e3 * cube.settings.v_systemic])
