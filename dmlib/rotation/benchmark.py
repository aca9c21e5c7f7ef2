"""The way in to what rotation curves say of the test galaxies: the same arrays as the networks' predictions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ..errors import DmlibError

#: Name of a group -> what it is, in the order of the chapter.
METHODS: dict[str, str] = {
    "nfw": "NFW",
    "burkert": "Burkert",
    "nfw_lcdm": "NFW, simulations' priors",
    "nfw_perfect": "NFW, geometry and baryons known",
    "burkert_perfect": "Burkert, geometry and baryons known",
    "nfw_lcdm_perfect": "NFW, simulations' priors, geometry and baryons known",
}


@dataclass(frozen=True)
class Method:
    """What one halo model says of the test views; NaN where there is no fit.

    Parameters
    ----------
    name : str
    m_dm : ndarray, shape (n, 20)
        Median of M_DM(<R) [Msun].
    sigma_ln : ndarray, shape (n, 20)
        Half of the 68 per cent interval of ln M.
    quantiles : ndarray, shape (n, 5, 20)
        2.5, 16, 50, 84 and 97.5 per cent [Msun].
    measured : ndarray of bool, shape (n, 20)
        Whether the radius lies within the measured curve.
    tried, accepted : ndarray of bool, shape (n,)
        Whether this variant was asked for the view; whether the method stands by its result.
    reason : ndarray of str, shape (n,)
        Why not.
    converged : ndarray of bool, shape (n,)
    seconds : ndarray, shape (n,)
        Processor time of the fit.
    """

    name: str
    m_dm: np.ndarray
    sigma_ln: np.ndarray
    quantiles: np.ndarray
    measured: np.ndarray
    tried: np.ndarray
    accepted: np.ndarray
    reason: np.ndarray
    converged: np.ndarray
    seconds: np.ndarray


@dataclass(frozen=True)
class Benchmark:
    """The rotation-curve method on the test views.

    Parameters
    ----------
    path : Path
    radii : ndarray, shape (20,)
        [kpc]
    truth : ndarray, shape (n, 20)
        [Msun]
    subhalo_id, view, rows : ndarray of int, shape (n,)
        ``rows`` of the data set.
    inclination, inclination_err : ndarray, shape (n,)
        As the rings found them [deg]; NaN without a curve.
    last_radius : ndarray, shape (n,)
        Of the measured curve [kpc].
    seconds : ndarray, shape (n,)
        Processor time from the cube to the mass model; the making of the cube, which a telescope does, not counted.
    methods : dict
        Name -> Method, see `METHODS`.
    """

    path: Path
    radii: np.ndarray
    truth: np.ndarray
    subhalo_id: np.ndarray
    view: np.ndarray
    rows: np.ndarray
    inclination: np.ndarray
    inclination_err: np.ndarray
    last_radius: np.ndarray
    seconds: np.ndarray
    methods: dict[str, Method]

    def __getitem__(self, name: str) -> Method:
        if name not in self.methods:
            raise DmlibError(f"{self.path} has no method '{name}': it has {', '.join(self.methods)}.")
        return self.methods[name]

    def __len__(self) -> int:
        return len(self.subhalo_id)


def read_benchmark(path: str | Path) -> Benchmark:
    """Read a benchmark file.

    Raises
    ------
    DmlibError
        When the file is damaged or not of its form.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as handle:
            methods = {name: _method(name, handle[name]) for name in METHODS if name in handle}
            names = ("radii", "truth", "subhalo_id", "view", "rows", "inclination", "inclination_err", "last_radius")
            return Benchmark(path, *(handle[name][()] for name in (*names, "seconds")), methods)
    except (OSError, KeyError) as error:
        raise DmlibError(f"{path} is not a whole benchmark ({error}): remove it and run again.") from error


def _method(name: str, group: h5py.Group) -> Method:
    columns = {key: group[key][()] for key in Method.__dataclass_fields__ if key not in ("name", "reason")}
    return Method(name=name, reason=group["reason"].asstr()[()], **columns)
