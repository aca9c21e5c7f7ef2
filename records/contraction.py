"""The contraction of haloes from which mocktng is made, beside the haloes of a hydrodynamical simulation."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from astropy.table import Table
from integrated_properties import rows_of

from mocktng import relations, structure, tng100
from mocktng.units import G


def measure(path: Path) -> dict:
    """Dark matter of the haloes of a hydrodynamical run beside the contraction from which mocktng is made.

    Parameters
    ----------
    path : Path
        ``TangoSIDM_L025N376_CDM_haloes.hdf5``: circular speeds of dark matter, stars and gas of SWIFT-EAGLE haloes.

    Returns
    -------
    dict
        At some radii, the median and the scatter of log10 of the dark matter over that of an NFW halo of the
        concentration of the run without baryons (Anbajagane et al. 2022), as it is and contracted by the halo's own
        stars and gas (Cautun et al. 2020).
    """
    radii = np.array([2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 80.0])
    with h5py.File(path, "r") as file:
        halos, profiles = file["Halo_data"], file["Profile_data"]
        log_star, m200 = halos["Mstar"][:], 10 ** halos["M200c"][:]
        r = profiles["Velocity_radial_bins"][:]
        mass = {
            name: profiles[f"{name}_Circular_Velocity"][:] ** 2 * r[:, None] / G
            for name in ("Dark_matter", "Stars", "Gas")
        }
    chosen = np.flatnonzero(log_star >= 10.0)
    concentration = 10 ** tng100.concentration(m200)[0]
    ratios: dict[str, list[np.ndarray]] = {"uncontracted": [], "contracted": []}
    for i in chosen:
        r200 = float(relations.r200_of(m200[i]))
        before = (1 - structure.COSMIC_BARYON_FRACTION) * structure.nfw_mass(r, m200[i], r200, concentration[i])
        after = structure.contract(before, mass["Stars"][:, i] + mass["Gas"][:, i])
        dark = np.maximum(mass["Dark_matter"][:, i], 1.0)
        for name, model in (("uncontracted", before), ("contracted", after)):
            ratios[name].append(np.interp(radii, r, np.log10(dark / model)))
    columns = {"radius": radii, "n": np.full(radii.size, len(chosen))}
    for name, rows in ratios.items():
        columns |= {name: np.median(rows, axis=0), f"{name}_scatter": np.std(rows, axis=0)}
    return {"rows": rows_of(Table(columns))}
