"""Rotating HI discs painted on the sky as a telescope sees them, with the redshift in their frequencies."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from astropy.io import fits
from scipy import ndimage

C = 299792.458
HI = 1.420405751e9
FWHM = np.sqrt(8.0 * np.log(2.0))


def speed(radius, v_flat=180.0, turn=30.0):
    """A rising, then flat curve [km/s] of a radius [arcsec]."""
    return v_flat * (1.0 - np.exp(-np.asarray(radius) / turn))


@dataclass
class SkyDisc:
    """A disc and the telescope that sees it; angles on the sky in arcsec, West and North."""

    inclination: float = 60.0
    angle: float = 40.0
    v_sys: float = 1500.0  # radio [km/s]
    centre: tuple[float, float] = (0.0, 0.0)
    scale: float = 25.0
    r_max: float = 120.0
    v_flat: float = 180.0
    flux: float = 40.0  # [Jy km/s], radio
    lopsided: float = 0.0  # the receding side rotates faster by this fraction
    thickness: float = 0.0  # [arcsec]
    dispersion: float = 8.0
    seed: int = 0
    clouds: int = 60000
    others: list = field(default_factory=list)

    def sources(self):
        """Positions [arcsec], velocities in the galaxy [km/s] and fluxes [Jy km/s] of the clouds."""
        rng = np.random.default_rng(self.seed)
        table = np.linspace(0.0, self.r_max, 4000)
        mass = 1.0 - np.exp(-table / self.scale) * (1.0 + table / self.scale)
        radius = np.interp((np.arange(self.clouds) + 0.5) / self.clouds * mass[-1], mass, table)
        phi = np.arange(self.clouds) * np.pi * (3.0 - np.sqrt(5.0))
        i, pa = np.radians(self.inclination), np.radians(self.angle)
        along, across = radius * np.cos(phi), radius * np.sin(phi) * np.cos(i)
        across = across + rng.normal(0.0, self.thickness, self.clouds) * np.sin(i)
        west = -np.sin(pa) * along + np.cos(pa) * across + self.centre[0]
        north = np.cos(pa) * along + np.sin(pa) * across + self.centre[1]
        v = speed(radius, self.v_flat) * (1 + self.lopsided * (np.cos(phi) > 0)) * np.sin(i) * np.cos(phi)
        v = v + rng.normal(0.0, self.dispersion, self.clouds)
        return west, north, v, np.full(self.clouds, self.flux / self.clouds)

    def cube(self, *, pixel=5.0, size=72, beam=(15.0, 15.0, 0.0), step=10.0, channels=71, noise=4e-4, kind="VRAD"):
        """Data [Jy/beam] (channel, y, x), and a header; `kind` is VRAD, VOPT, VELO or FREQ."""
        ny, nx = (size, size) if np.isscalar(size) else size
        edges_x, edges_y = ((np.arange(n + 1) - n / 2) * pixel for n in (nx, ny))
        start = self.v_sys - step * (channels - 1) / 2
        middle = 1.0 / (1.0 - self.v_sys / C)
        value = {"VRAD": self.v_sys, "VOPT": C * (middle - 1), "VELO": C * (middle**2 - 1) / (middle**2 + 1)}.get(kind)
        if kind == "FREQ":
            first, width = HI * (1 - start / C), -HI * step / C
        else:
            first, width = value - step * (channels - 1) / 2, step
        data = np.zeros((channels, ny, nx))
        for disc in [self, *self.others]:
            west, north, v, flux = disc.sources()
            grown = 1.0 / (1.0 - disc.v_sys / C) * (1 + v / C)  # 1 + z
            axis = {
                "VRAD": C * (1 - 1 / grown),
                "FREQ": HI / grown,
                "VOPT": C * (grown - 1),
                "VELO": C * (grown**2 - 1) / (grown**2 + 1),
            }[kind]
            # Jy km/s in radio velocities -> Jy, by the width of a channel there.
            per = {"VRAD": 1.0, "FREQ": C / HI, "VOPT": grown**-2, "VELO": (1 + grown**2) ** 2 / (4 * grown**3)}[kind]
            weights = flux / (abs(width) * per)
            low = first - width / 2 + width * np.arange(channels + 1)
            bins = (np.sort(low), edges_y, edges_x)
            found, _ = np.histogramdd((axis, north, west), bins=bins, weights=weights)
            data += found[:: 1 if width > 0 else -1]
        data = self._blur(data, beam, pixel) * (np.pi * beam[0] * beam[1] / (4 * np.log(2)) / pixel**2)
        rng = np.random.default_rng([self.seed, 7])
        grain = self._blur(rng.normal(size=data.shape), beam, pixel)
        data += noise * grain / grain.std()
        return data.astype(np.float32), header_of(data.shape, pixel, beam, kind, first, width)

    @staticmethod
    def _blur(data, beam, pixel):
        if beam[0] == beam[1]:
            sigma = beam[0] / FWHM / pixel
            return ndimage.gaussian_filter(data, (0, sigma, sigma), mode="constant")
        ny, nx = data.shape[1:]
        fy, fx = np.fft.fftfreq(ny, pixel)[:, None], np.fft.rfftfreq(nx, pixel)[None]
        angle = np.radians(beam[2])
        along, across = -np.sin(angle) * fx + np.cos(angle) * fy, np.cos(angle) * fx + np.sin(angle) * fy
        transfer = np.exp(-2 * np.pi**2 * ((beam[0] * along) ** 2 + (beam[1] * across) ** 2) / FWHM**2)
        return np.fft.irfft2(np.fft.rfft2(data) * transfer, s=(ny, nx))


def header_of(shape, pixel, beam, kind, first, width):
    """The header of such a cube."""
    unit, scale = ("Hz", 1.0) if kind == "FREQ" else ("m/s", 1e3)
    cards = {"OBJECT": "disc", "BUNIT": "Jy/beam", "RADESYS": "ICRS", "SPECSYS": "BARYCENT", "RESTFRQ": HI}
    cards |= {"BMAJ": beam[0] / 3600, "BMIN": beam[1] / 3600, "BPA": beam[2]}
    rows = (
        ("RA---TAN", "deg", 150.0, (shape[2] + 1) / 2, -pixel / 3600),
        ("DEC--TAN", "deg", 20.0, (shape[1] + 1) / 2, pixel / 3600),
        (kind, unit, first * scale, 1.0, width * scale),
    )
    for axis, row in enumerate(rows, start=1):
        cards |= {
            f"{name}{axis}": v for name, v in zip(("CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT"), row, strict=True)
        }
    return fits.Header(cards)


def write(path, data, header, change=None, **cards):
    """Write a cube with changed data or cards (None removes one); the path."""
    header = header.copy()
    for key, value in cards.items():
        if value is None:
            header.remove(key, ignore_missing=True)
        else:
            header[key] = value
    if change is not None:
        data, header = change(data.copy(), header)
    fits.PrimaryHDU(data, header).writeto(path, overwrite=True)
    return path
