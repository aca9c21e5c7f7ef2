"""Asymmetric drift: gas that is held up in part by its random motion turns slower than a circular orbit."""

from __future__ import annotations

import numpy as np


def circular_speed(
    radius: np.ndarray, v_rot: np.ndarray, dispersion: np.ndarray, surface_density: np.ndarray
) -> np.ndarray:
    """Circular speed of a disc that turns with `v_rot`.

    ``V_c^2 = V_rot^2 - s^2 dln(S s^2)/dlnR``: the pressure's gradient for a layer whose thickness does not change
    with radius and whose dispersion s is the same in all directions (Binney & Tremaine 2008, section 4.8.2; Iorio et
    al. 2017, equation 6). The gradient is that of a parabola in R through ``ln(S s^2)``, not of neighbouring rings: it
    is a derivative of noisy numbers.

    Parameters
    ----------
    radius : ndarray, shape (n,)
        [kpc]
    v_rot, dispersion : ndarray, shape (n,)
        [km/s]; a dispersion that is NaN is replaced by the median of the others.
    surface_density : ndarray, shape (n,)
        Face-on, any unit.

    Returns
    -------
    ndarray, shape (n,)
        [km/s], never below `v_rot` where that is positive; `v_rot` itself where fewer than four rings have emission.
    """
    usable = np.isfinite(dispersion) & (dispersion > 0) & (surface_density > 0)
    if np.count_nonzero(usable) < 4:
        return np.array(v_rot, dtype=float)
    sigma = np.where(usable, dispersion, np.median(dispersion[usable]))
    pressure = np.log(surface_density[usable] * sigma[usable] ** 2)
    curve = np.polynomial.Polynomial.fit(radius[usable], pressure, 2)
    slope = np.minimum(0.0, radius * curve.deriv()(radius))
    return np.sign(v_rot) * np.sqrt(v_rot**2 - sigma**2 * slope)
