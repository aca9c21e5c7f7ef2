"""A disc in headers of all kinds: what must be read from them, and changes of its cube."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from dmlib.observe.cube_fits import read_cube
from dmlib.observe.sky_cube import galaxy_emission
from sky_disc import SkyDisc

STEP = 5.0 / 3600.0
DISC = SkyDisc(v_sys=4741.8, r_max=50.0, scale=15.0, clouds=8000)


def measured(path, **how):
    """Cube, flux [Jy km/s], offset of the brightest receding gas (West, North) in units of its distance."""
    sky = read_cube(path, **how)
    found = galaxy_emission(sky, (0.0, 0.0))
    west, north = np.average(receding(found), axis=0)
    return sky, found.flux, np.degrees(np.arctan2(-west, north)) % 360.0


def receding(found):
    """Offsets of the voxels of the fastest quarter of the receding gas."""
    sky = found.sky
    channel, y, x = np.nonzero(found.mask & (sky.data > 0))
    fast = sky.velocities[channel] > np.quantile(sky.velocities[channel], 0.85)
    ny, nx = sky.data.shape[1:]
    return np.stack([x[fast] - (nx - 1) / 2, y[fast] - (ny - 1) / 2], axis=1)


def same(path, *, flux=40.0, v=4741.8, notes=(), **how):
    """Check that a file gives the disc: scale, turn, flux, velocity; and what the notes say."""
    sky, found, angle = measured(path, **how)
    assert sky.pixel == pytest.approx(5.0, rel=1e-3) and sky.beam.major == pytest.approx(15.0, rel=0.02)
    assert found == pytest.approx(flux, rel=0.04)
    assert sky.velocities.mean() == pytest.approx(v, abs=1.0)
    assert abs((angle - DISC.angle + 180.0) % 360.0 - 180.0) < 6.0
    said = "; ".join(sky.notes)
    assert all(word in said for word in notes) and bool(sky.notes) == bool(notes), sky.notes
    return sky


def turned(angle, form):
    """A change that turns the picture, with cards that turn it back."""
    a = np.radians(angle)
    matrix = STEP * np.array([[-np.cos(a), -np.sin(a)], [-np.sin(a), np.cos(a)]])
    old = STEP * np.diag([-1.0, 1.0])

    def change(data, header):
        back = np.linalg.inv(old) @ matrix
        middle = (np.array(data.shape[2:0:-1]) - 1) / 2
        how = {"offset": (middle - back @ middle)[::-1], "order": 3, "mode": "mirror"}
        data = np.array([ndimage.affine_transform(one, back[::-1, ::-1], **how) for one in data])
        if form == "CROTA":
            header["CROTA2"] = angle
        else:
            values = matrix if form == "CD" else matrix / np.diag(old)[:, None]
            for i in range(2):
                for j in range(2):
                    header[f"{form}{i + 1}_{j + 1}"] = values[i, j]
            if form == "CD":
                del header["CDELT1"], header["CDELT2"]
        return data, header

    return change


def history(*lines):
    def change(data, header):
        for key in ("BMAJ", "BMIN", "BPA"):
            header.remove(key, ignore_missing=True)
        for line in lines:
            header["HISTORY"] = line
        return data, header

    return change


def stokes_third(data, header):
    new = header.copy()
    for name in ("CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT"):
        if f"{name}3" in header:
            new[f"{name}4"] = header[f"{name}3"]
    new.remove("CUNIT3", ignore_missing=True)
    new.update({"CTYPE3": "STOKES", "CRVAL3": 1.0, "CRPIX3": 1.0, "CDELT3": 1.0})
    return data[:, None], new
