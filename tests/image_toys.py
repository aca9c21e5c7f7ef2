"""Galaxies of a few particles, for the tests of images."""

from __future__ import annotations

import io

import numpy as np
from astropy.io import fits

from dmlib.galaxy import Component, Galaxy
from dmlib.observe.images.published import BANDS

EMPTY = Component(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), {})


def stars(position, magnitude=-10.0, hsml=1.0, born=0.5) -> Component:
    """Stars of one absolute magnitude in all of TNG's bands."""
    position = np.atleast_2d(np.asarray(position, dtype=float))
    n = len(position)
    extra = {
        "GFM_StellarPhotometrics": np.broadcast_to(magnitude, (n, 8)).astype("f4"),
        "StellarHsml": np.broadcast_to(hsml, n).astype("f4"),
        "GFM_StellarFormationTime": np.broadcast_to(born, n).astype("f4"),
    }
    return Component(position, np.zeros_like(position), np.full(n, 1e6), extra)


def gas(position, mass=1e7, radius=1.0, metallicity=0.0127, neutral=1.0) -> Component:
    """Gas cells of a given mass and volume-equivalent radius that form no stars, of pure hydrogen."""
    position = np.atleast_2d(np.asarray(position, dtype=float))
    n = len(position)
    mass = np.broadcast_to(np.asarray(mass, dtype=float), n)
    metals = np.zeros((n, 10), "f4")
    metals[:, 0] = 1.0
    extra = {
        "Density": mass / (4.0 / 3.0 * np.pi * np.broadcast_to(radius, n) ** 3),
        "InternalEnergy": np.full(n, 100.0),
        "ElectronAbundance": np.zeros(n),
        "NeutralHydrogenAbundance": np.broadcast_to(neutral, n).astype(float),
        "StarFormationRate": np.zeros(n),
        "GFM_Metals": metals,
        "GFM_Metallicity": np.broadcast_to(metallicity, n).astype(float),
    }
    return Component(position, np.zeros_like(position), mass.copy(), extra)


def galaxy(star_part: Component = EMPTY, gas_part: Component = EMPTY, subhalo_id: int = 7) -> Galaxy:
    """A galaxy of these stars and this gas."""
    return Galaxy(
        subhalo_id=subhalo_id,
        group_id=0,
        scope="subhalo",
        centre=np.zeros(3),
        r_half_star=5.0,
        m_dm_particle=1e7,
        dm=EMPTY,
        stars=star_part,
        gas=gas_part,
        wind=EMPTY,
    )


#: Header of a published SKIRT image.
CARDS = {
    "BUNIT": "counts/s/pixel",
    "CDELT1": 388.6521247594941,
    "CTYPE1": "pc",
    "CDELT2": 388.6521247594941,
    "CTYPE2": "pc",
    "PIXSCALE": 0.396,
    "USE_Z": 0.0485236,
    **{f"FILTER{k}": f"sloan/sdss_{band}" for k, band in enumerate(BANDS)},
}


def content(data=None, **cards) -> bytes:
    """A published SKIRT image as a file."""
    data = np.ones((4, 11, 11), ">f4") if data is None else data
    hdu = fits.PrimaryHDU(data)
    hdu.header.update({**CARDS, **cards})
    buffer = io.BytesIO()
    hdu.writeto(buffer)
    return buffer.getvalue()


def spot(n: int, row: int, column: int) -> np.ndarray:
    """Four bands with light in one pixel."""
    data = np.zeros((4, n, n), ">f4")
    data[:, row, column] = [1.0, 2.0, 3.0, 4.0]
    return data
