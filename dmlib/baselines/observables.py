"""Catalogue-like observables of a view, measured from its images and HI maps alone.

An astronomer would list these in a catalogue before thinking of a network: fluxes, colours, sizes, concentration, the
axis ratio of the light, HI mass and size, widths of the HI line. Nothing else from the simulation is used: the
inclination, for instance, is estimated from the image's axis ratio, and a companion in the field disturbs the numbers
as it would on the sky. Lengths are assumed to be known, as they are for the networks, whose pixels are in kpc.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import numpy as np

from ..dataset.read import DataSet
from ..observe.sky import SkyGrid

#: What observables are measured from.
Inputs = Literal["all", "photometry", "hi"]

#: Radius of the aperture for fluxes [kpc]: it contains nearly all the light of a galaxy, and few companions.
APERTURE = 40.0

#: Axis ratio of a disc seen edge-on (Haynes & Giovanelli 1984 take 0.2).
EDGE_ON = 0.2

#: Smallest sine of an inclination by which a line width is divided; widths of face-on discs would diverge.
SIN_FLOOR = 0.25

#: How names of speeds end that are divided by the sine of the inclination.
_DEPROJECTED = " / sin i"

#: Views measured at a time: bounds the memory.
_CHUNK = 256

#: Channels of the HI line that is reconstructed from the maps, and dispersions that are distinguished [km/s].
_STEP = 10.0
_VELOCITIES = np.arange(-795.0, 800.0, _STEP)
_DISPERSIONS = np.array([4.0, 8.0, 12.0, 18.0, 26.0, 38.0, 55.0, 80.0, 120.0])


def measure(dataset: DataSet, rows: np.ndarray, inputs: Inputs = "all") -> dict[str, np.ndarray]:
    """Observables of some views.

    Parameters
    ----------
    dataset : DataSet
    rows : ndarray of int, shape (n,)
    inputs : {"all", "photometry", "hi"}
        What they are measured from. With ``hi`` alone the inclination is estimated from the HI map.

    Returns
    -------
    dict
        Name -> ndarray, shape (n,). ``ln`` quantities are natural logarithms, so that a power law is a linear formula.
        NaN where there is nothing to measure, as for the HI of a view in which none is detected.
    """
    if inputs == "all":
        return joined(measure(dataset, rows, "photometry"), measure(dataset, rows, "hi"))
    chunks = []
    for start in range(0, len(rows), _CHUNK):
        some = rows[start : start + _CHUNK]
        if inputs == "photometry":
            chunks.append(of_light(dataset.images(some), dataset.bands, dataset.grid))
        else:
            chunks.append(of_hydrogen(dataset.hi(some), dataset.grid))
    return {name: np.concatenate([found[name] for found in chunks]) for name in chunks[0]}


def joined(light: Mapping[str, np.ndarray], gas: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Observables of all inputs from those of the light alone and of the HI alone: the light tells the inclination."""
    return {**light, **gas, **_deprojected(gas, light["ln sin i"])}


def of_light(images: np.ndarray, bands: tuple[str, ...], grid: SkyGrid) -> dict[str, np.ndarray]:
    """Observables of starlight.

    Parameters
    ----------
    images : ndarray, shape (n, y, x, band)
        In a linear unit.
    bands : tuple of str
    grid : SkyGrid

    Returns
    -------
    dict of ndarray, shape (n,)
        ``ln flux`` in each band, colours, radii that hold 20, 50 and 80% of the light, concentration, axis ratio and
        the inclination that it suggests, central brightness, asymmetry, and the share of light beyond the aperture.
    """
    n = len(images)
    flat = np.asarray(images, dtype=float).reshape(n, -1, len(bands))
    x, y = (axis.ravel() for axis in grid.mesh())
    radius = np.hypot(x, y)
    inside = radius < min(APERTURE, grid.field_of_view / 2)
    flux = flat[:, inside].sum(axis=1)
    out = {f"ln flux {band}": _ln(flux[:, k]) for k, band in enumerate(bands)}
    for blue, red in pairwise(bands):
        out[f"{blue} - {red}"] = -2.5 / np.log(10.0) * (out[f"ln flux {blue}"] - out[f"ln flux {red}"])
    detection = "r" if "r" in bands else bands[len(bands) // 2]
    light = flat[..., bands.index(detection)]
    total = light.sum(axis=1)
    r20, r50, r80 = growth_radii(light[:, inside], radius[inside], (0.2, 0.5, 0.8))
    out |= {"ln r20": _ln(r20), "ln r50": _ln(r50), "ln r80": _ln(r80)}
    out["concentration"] = 5.0 * np.log10(np.maximum(r80, 1e-3) / np.maximum(r20, 1e-3))
    ratio = axis_ratio(light, x, y, 3.0 * r50)
    out["ln q"] = _ln(ratio)
    out["ln sin i"] = np.log(sine_of_inclination(ratio))
    core = radius < 2.0 * grid.pixel_size
    out["ln core"] = _ln(light[:, core].mean(axis=1))
    out["asymmetry"] = asymmetry(light, inside)
    with np.errstate(divide="ignore", invalid="ignore"):
        out["light outside"] = np.where(total > 0, light[:, ~inside].sum(axis=1) / total, np.nan)
    return out


def of_hydrogen(maps: np.ndarray, grid: SkyGrid, ln_sin_i: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Observables of the HI.

    Parameters
    ----------
    maps : ndarray, shape (n, y, x, 3)
        Surface density [Msun/pc^2], velocity and dispersion [km/s]; NaN where blank.
    grid : SkyGrid
    ln_sin_i : ndarray, shape (n,), optional
        Logarithm of the sine of the inclination, as estimated from the light; from the HI map without it.

    Returns
    -------
    dict of ndarray, shape (n,)
        HI mass, size at 1 Msun/pc^2, half-mass radius, axis ratio, line widths at 50 and 20% of the peak, as observed
        and divided by sin i, r.m.s. velocity, mean dispersion inside and outside, asymmetry. NaN without HI, except for
        ``no hi``, which is then 1 and otherwise 0.
    """
    n = len(maps)
    flat = np.asarray(maps, dtype=float).reshape(n, -1, 3)
    x, y = (axis.ravel() for axis in grid.mesh())
    radius = np.hypot(x, y)
    sigma = np.nan_to_num(flat[..., 0], nan=0.0)
    mass = sigma * (grid.pixel_area * 1e6)
    total = mass.sum(axis=1)
    empty = total <= 0
    out = {"ln m_hi": _ln(total)}
    out["ln r_hi"] = _ln(np.sqrt((sigma > 1.0).sum(axis=1) * grid.pixel_area / np.pi))
    r50, r90 = growth_radii(sigma, radius, (0.5, 0.9))
    out |= {"ln r50_hi": _ln(r50), "ln r90_hi": _ln(r90)}
    ratio = axis_ratio(sigma, x, y, 2.0 * r90)
    out["ln q_hi"] = _ln(ratio)
    if ln_sin_i is None:
        ln_sin_i = np.log(sine_of_inclination(ratio))
    line = line_profile(mass, flat[..., 1], flat[..., 2])
    for level, name in ((0.5, "w50"), (0.2, "w20")):
        out[f"ln {name}"] = out[f"ln {name}{_DEPROJECTED}"] = _ln(line_width(line, level))
    weight = mass / np.where(empty, 1.0, total)[:, None]
    velocity, dispersion = (np.nan_to_num(flat[..., k], nan=0.0) for k in (1, 2))
    mean = (weight * velocity).sum(axis=1)
    spread = np.sqrt((weight * (velocity - mean[:, None]) ** 2).sum(axis=1))
    out["ln v_rms"] = out[f"ln v_rms{_DEPROJECTED}"] = _ln(spread)
    out |= _deprojected(out, ln_sin_i)
    near = radius[None, :] < r50[:, None]
    for name, part in (("inner", near), ("outer", ~near)):
        share = np.where(part, weight, 0.0)
        out[f"ln dispersion {name}"] = _ln((share * dispersion).sum(axis=1) / np.maximum(share.sum(axis=1), 1e-12))
    out["asymmetry hi"] = np.where(empty, np.nan, asymmetry(sigma, np.ones(len(x), dtype=bool)))
    out = {name: np.where(empty, np.nan, value) for name, value in out.items()}
    out["no hi"] = empty.astype(float)
    return out


def _deprojected(gas: Mapping[str, np.ndarray], ln_sin_i: np.ndarray) -> dict[str, np.ndarray]:
    """Speeds divided by sin i, from those along the line of sight."""
    names = [name for name in gas if name.endswith(_DEPROJECTED)]
    return {name: gas[name.removesuffix(_DEPROJECTED)] - ln_sin_i for name in names}


def growth_radii(light: np.ndarray, radius: np.ndarray, shares: tuple[float, ...]) -> list[np.ndarray]:
    """Radii of circles that hold given shares of the light.

    Parameters
    ----------
    light : ndarray, shape (n, pixel)
    radius : ndarray, shape (pixel,)
        Of the pixels' centres [kpc].
    shares : tuple of float

    Returns
    -------
    list of ndarray, shape (n,)
        [kpc]; NaN where there is no light.
    """
    rings, ring_of = np.unique(np.round(radius, 6), return_inverse=True)
    order = np.argsort(ring_of, kind="stable")
    starts = np.searchsorted(ring_of[order], np.arange(len(rings)))
    curve = np.cumsum(np.add.reduceat(np.maximum(light, 0.0)[:, order], starts, axis=1), axis=1)
    return [
        np.array([np.interp(share * line[-1], line, rings) if line[-1] > 0 else np.nan for line in curve])
        for share in shares
    ]


def axis_ratio(light: np.ndarray, x: np.ndarray, y: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Minor over major axis of the light, from its second moments within an ellipse of the light's own shape.

    Moments within a circle would be rounder than the galaxy, so the ellipse is adapted in a few iterations.

    Parameters
    ----------
    light : ndarray, shape (n, pixel)
    x, y : ndarray, shape (pixel,)
        [kpc]
    reach : ndarray, shape (n,)
        Semi-major axis within which light counts [kpc].

    Returns
    -------
    ndarray, shape (n,)
        Between 0 and 1; NaN where there is no light.
    """
    positive = np.maximum(light, 0.0)
    ratio, angle = np.ones(len(light)), np.zeros(len(light))
    products = np.stack([x * x, y * y, x * y])
    moments = np.stack([np.ones(len(x)), x, y, *products], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(4):
            # The ellipse as a quadratic form: all images need the same products of coordinates.
            cosine, sine, stretch = np.cos(angle), np.sin(angle), np.maximum(ratio, 0.1) ** -2
            form = [cosine**2 + sine**2 * stretch, sine**2 + cosine**2 * stretch, 2.0 * cosine * sine * (1.0 - stretch)]
            weight = np.where(np.stack(form, axis=1) @ products < reach[:, None] ** 2, positive, 0.0)
            total, *about = (weight @ moments).T
            mx, my, xx, yy, xy = (moment / total for moment in about)
            xx, yy, xy = xx - mx**2, yy - my**2, xy - mx * my
            root = np.hypot(xx - yy, 2.0 * xy)
            ratio = np.sqrt(np.maximum(xx + yy - root, 0.0) / (xx + yy + root))
            angle = 0.5 * np.arctan2(2.0 * xy, xx - yy)
    return ratio


def sine_of_inclination(ratio: np.ndarray) -> np.ndarray:
    """Sine of the inclination of a disc of a given axis ratio, not below `SIN_FLOOR`.

    cos^2 i = (q^2 - q0^2) / (1 - q0^2) with q0 = `EDGE_ON` (Hubble 1926).
    """
    cosine2 = np.clip((ratio**2 - EDGE_ON**2) / (1.0 - EDGE_ON**2), 0.0, 1.0)
    return np.maximum(np.sqrt(1.0 - cosine2), SIN_FLOOR)


def asymmetry(light: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Fraction of the light that changes when the image is turned by 180 degrees about the galaxy's centre.

    Parameters
    ----------
    light : ndarray, shape (n, pixel)
        Pixels of a square in the order of the file.
    inside : ndarray of bool, shape (pixel,)
        Pixels that count; symmetric.

    Returns
    -------
    ndarray, shape (n,)
        0 for a symmetric galaxy, 1 for light on one side only; NaN where there is none.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.abs(light - light[:, ::-1])[:, inside].sum(axis=1)
        return difference / (2.0 * np.abs(light)[:, inside].sum(axis=1))


def line_profile(mass: np.ndarray, velocity: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
    """The HI line of the whole galaxy, reconstructed from its maps.

    Every pixel contributes a Gaussian at its velocity, with its dispersion (rounded to one of nine values).

    Parameters
    ----------
    mass, velocity, dispersion : ndarray, shape (n, pixel)
        [Msun, km/s, km/s]; blank pixels have no mass.

    Returns
    -------
    ndarray, shape (n, channel)
        Mass in each channel of 10 km/s between -800 and 800 km/s.
    """
    n, channels, kinds = len(mass), len(_VELOCITIES), len(_DISPERSIONS)
    seen = mass > 0
    who = np.nonzero(seen)[0]
    channel = np.clip(np.round((velocity[seen] - _VELOCITIES[0]) / _STEP), 0, channels - 1).astype(int)
    kind = np.abs(dispersion[seen][:, None] - _DISPERSIONS).argmin(axis=1)
    counts = np.bincount((who * kinds + kind) * channels + channel, weights=mass[seen], minlength=n * kinds * channels)
    counts = counts.reshape(n, kinds, channels)
    distance = _VELOCITIES[:, None] - _VELOCITIES
    line = np.zeros((n, channels))
    for k, width in enumerate(_DISPERSIONS):
        kernel = np.exp(-0.5 * (distance / width) ** 2)
        line += counts[:, k] @ (kernel / kernel.sum(axis=0, keepdims=True)).T
    return line


def line_width(line: np.ndarray, level: float) -> np.ndarray:
    """Full width of lines at a share of their peak, between the outermost crossings [km/s], shape (n,)."""
    height = level * line.max(axis=1)
    above = line >= height[:, None]
    first, last = above.argmax(axis=1), above.shape[1] - 1 - above[:, ::-1].argmax(axis=1)
    rows = np.arange(len(line))
    edges = []
    for inner, outer in ((first, np.maximum(first - 1, 0)), (last, np.minimum(last + 1, line.shape[1] - 1))):
        drop = line[rows, inner] - line[rows, outer]
        edges.append((line[rows, inner] - height) / np.where(drop > 0, drop, np.inf))
    return _STEP * (last - first + edges[0] + edges[1])


def _ln(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log(values), np.nan)
