"""Which velocity stands for a line of sight: the mean, the peak of a fitted line, or the edge of the envelope.

- ``moment1``: the intensity-weighted mean. It is linear in the cube, so that the beam can be undone
  (`dmlib.rotation.rings`); taken alone it is drawn towards the systemic velocity where a beam spans a gradient.
- ``gaussian``: centre of a Gaussian.
- ``hermite``: peak of a Gauss-Hermite series with a third-order term (van der Marel & Franx 1993), which follows a line
  with a tail (de Blok et al. 2008 took their THINGS velocities so).
- ``envelope``: the edge of the line away from the systemic velocity, less the gas's own width (Sofue & Rubin 2001,
  section 2.2.2): for discs close to edge-on, where every line of sight crosses slower gas.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numba import njit

from ..errors import DmlibError
from ..observe.cube import HICube
from ..observe.moments import find_emission, moment_maps
from .field import VelocityField

KINDS = ("moment1", "gaussian", "hermite", "envelope")

#: Level of the envelope's edge over the peak of the line, and dispersion of the gas that is taken off [km/s].
ENVELOPE_LEVEL, GAS_DISPERSION = 0.2, 10.0


def velocity_field(cube: HICube, kind: str = "moment1") -> VelocityField:
    """Maps of a cube with velocities of one kind.

    Parameters
    ----------
    cube : HICube
    kind : {"moment1", "gaussian", "hermite", "envelope"}

    Returns
    -------
    VelocityField
        Blank where the moment maps are, and where a line could not be fitted.

    Raises
    ------
    DmlibError
        For another kind.
    """
    field = VelocityField.of(moment_maps(cube))
    return field if kind == "moment1" else with_velocities(field, cube.data, find_emission(cube), cube.velocities, kind)


def with_velocities(
    field: VelocityField, data: np.ndarray, emission: np.ndarray, velocities: np.ndarray, kind: str
) -> VelocityField:
    """A field with its velocities measured anew in a cube.

    Parameters
    ----------
    field : VelocityField
        From the moments of the same cube.
    data : ndarray, shape (channel, y, x)
    emission : ndarray of bool, shape (channel, y, x)
    velocities : ndarray, shape (channel,)
        Ascending [km/s].
    kind : str

    Raises
    ------
    DmlibError
        For an unknown kind.
    """
    if kind not in KINDS:
        raise DmlibError(f"velocities are {', '.join(KINDS)}, not '{kind}'")
    if kind == "moment1":
        return field
    if kind == "envelope":
        v_sys = float(np.nanmedian(field.velocity))
        side = np.sign(field.velocity - v_sys)
        measured = _envelope(np.where(emission, data, 0.0), velocities, np.nan_to_num(side))
        width = np.sqrt(GAS_DISPERSION**2 + field.channel_width**2 / 12.0)
        measured = measured - side * width * math.sqrt(2.0 * math.log(1.0 / ENVELOPE_LEVEL))
    else:
        guess = np.nan_to_num(np.stack([field.velocity, field.dispersion]))
        measured = _lines(
            np.ascontiguousarray(data, dtype=float),
            field.seen,
            velocities,
            guess,
            kind == "hermite",
            field.channel_width,
        )
    return replace(field, velocity=np.where(field.seen, measured, np.nan), kind=kind)


@njit(cache=True)
def _envelope(data, velocities, side):
    """Velocity at which each line falls to the level, coming from the peak towards its side."""
    n, ny, nx = data.shape
    out = np.full((ny, nx), np.nan)
    for y in range(ny):
        for x in range(nx):
            step = 1 if side[y, x] > 0 else -1
            peak = 0
            for c in range(n):
                if data[c, y, x] > data[peak, y, x]:
                    peak = c
            level = ENVELOPE_LEVEL * data[peak, y, x]
            if level <= 0.0 or side[y, x] == 0:
                continue
            c = 0 if step < 0 else n - 1  # from outside inwards: the last channel above the level
            while c != peak and data[c, y, x] < level:
                c -= step
            beyond = c + step
            if beyond < 0 or beyond >= n:
                continue
            share = (data[c, y, x] - level) / (data[c, y, x] - data[beyond, y, x])
            out[y, x] = velocities[c] + share * (velocities[beyond] - velocities[c])
    return out


@njit(cache=True)
def _line(v, p, hermite):
    """Value of a line and its derivatives by height, centre, width and h3."""
    y = (v - p[1]) / p[2]
    bell = math.exp(-0.5 * y * y)
    h3 = (2.0 * math.sqrt(2.0) * y * y * y - 3.0 * math.sqrt(2.0) * y) / math.sqrt(6.0)
    slope = (6.0 * math.sqrt(2.0) * y * y - 3.0 * math.sqrt(2.0)) / math.sqrt(6.0)
    skew = p[3] if hermite else 0.0
    shape = bell * (1.0 + skew * h3)
    by_y = -y * shape + bell * skew * slope
    return p[0] * shape, shape, -p[0] * by_y / p[2], -p[0] * by_y * y / p[2], p[0] * bell * h3


@njit(cache=True)
def _lines(data, seen, velocities, guess, hermite, channel):
    """Peak velocity of a Gaussian or Gauss-Hermite line in every pixel, by Levenberg's and Marquardt's method."""
    n, ny, nx = data.shape
    m = 4 if hermite else 3
    out = np.full((ny, nx), np.nan)
    for iy in range(ny):
        for ix in range(nx):
            if not seen[iy, ix]:
                continue
            spectrum = data[:, iy, ix]
            # The channels around the line: beyond them there is only noise, which must not be fitted.
            low, high = guess[0, iy, ix] - 4.0 * guess[1, iy, ix], guess[0, iy, ix] + 4.0 * guess[1, iy, ix]
            c0 = max(0, np.searchsorted(velocities, low - channel))
            c1 = min(n, np.searchsorted(velocities, high + channel))
            if c1 - c0 < m + 1:
                continue
            p = np.array([spectrum[c0:c1].max(), guess[0, iy, ix], max(guess[1, iy, ix], 0.5 * channel), 0.0])
            damping, cost = 1e-3, _cost(spectrum, velocities, c0, c1, p, hermite)
            for _ in range(25):
                normal, gradient = np.zeros((m, m)), np.zeros(m)
                for c in range(c0, c1):
                    value, d0, d1, d2, d3 = _line(velocities[c], p, hermite)
                    d = (d0, d1, d2, d3)
                    for a in range(m):
                        gradient[a] += (spectrum[c] - value) * d[a]
                        for b in range(m):
                            normal[a, b] += d[a] * d[b]
                for a in range(m):
                    normal[a, a] *= 1.0 + damping
                    normal[a, a] += 1e-30
                step = np.linalg.solve(normal, gradient)
                trial = p.copy()
                trial[:m] += step
                trial[2] = max(abs(trial[2]), 0.3 * channel)
                trial[3] = min(0.3, max(-0.3, trial[3]))
                new = _cost(spectrum, velocities, c0, c1, trial, hermite)
                if new < cost:
                    done = cost - new < 1e-6 * cost
                    p, cost, damping = trial, new, damping * 0.3
                    if done:
                        break
                else:
                    damping *= 5.0
                    if damping > 1e6:
                        break
            peak = p[1]
            if hermite:
                # The maximum of the series, looked for on a grid: it lies near -sqrt(3) h3 widths from its centre.
                y = -math.sqrt(3.0) * p[3]
                best, at = -1e300, 0.0
                for k in range(-20, 21):
                    value = _line(p[1] + (y + 0.05 * k) * p[2], p, True)[0]
                    if value > best:
                        best, at = value, y + 0.05 * k
                peak = p[1] + at * p[2]
            if p[0] > 0 and velocities[0] <= peak <= velocities[-1]:
                out[iy, ix] = peak
    return out


@njit(cache=True)
def _cost(spectrum, velocities, c0, c1, p, hermite):
    total = 0.0
    for c in range(c0, c1):
        total += (spectrum[c] - _line(velocities[c], p, hermite)[0]) ** 2
    return total
