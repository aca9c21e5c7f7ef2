"""Optical properties of dust for a run without SKIRT's resource packs.

The mix is the carbonaceous and silicate dust of the Milky Way with R_V = 3.1 (Weingartner & Draine 2001, abundances and
optical constants of Draine 2003), as tabulated by its author (``kext_albedo_WD_MW_3.1_60_D03.all``, 17 December 2003).
Listed are wavelengths across the SDSS bands, and the same model's mass of dust. Between them SKIRT interpolates.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .columns import write_columns

#: Dust per hydrogen nucleus of the model [g].
DUST_PER_H = 1.870e-26

#: Wavelength [micron], albedo, mean cosine of the scattering angle, extinction per hydrogen nucleus [1e-22 cm^2].
DRAINE03 = np.array(
    [
        (0.269153, 0.5613, 0.5459, 10.44),
        (0.281838, 0.5730, 0.5502, 9.915),
        (0.301995, 0.5823, 0.5570, 9.347),
        (0.323594, 0.5965, 0.5628, 8.770),
        (0.355000, 0.6156, 0.5687, 8.037),
        (0.380189, 0.6289, 0.5702, 7.511),
        (0.407380, 0.6410, 0.5693, 6.993),
        (0.436516, 0.6516, 0.5660, 6.482),
        (0.468500, 0.6609, 0.5602, 5.968),
        (0.501187, 0.6679, 0.5522, 5.488),
        (0.547000, 0.6735, 0.5382, 4.896),
        (0.588844, 0.6756, 0.5233, 4.429),
        (0.616500, 0.6756, 0.5126, 4.155),
        (0.656200, 0.6741, 0.4967, 3.801),
        (0.707946, 0.6699, 0.4754, 3.403),
        (0.748000, 0.6651, 0.4592, 3.136),
        (0.802000, 0.6576, 0.4381, 2.823),
        (0.851138, 0.6499, 0.4194, 2.576),
        (0.893000, 0.6427, 0.4035, 2.390),
        (0.954993, 0.6315, 0.3800, 2.149),
        (1.023290, 0.6190, 0.3541, 1.922),
        (1.096480, 0.6058, 0.3277, 1.720),
        (1.220000, 0.5846, 0.2893, 1.451),
    ]
)


def mass_extinction() -> np.ndarray:
    """Extinction per mass of dust at the wavelengths of `DRAINE03` [m^2/kg], 2.6e3 at 0.55 micron."""
    return 1e-22 * DRAINE03[:, 3] / DUST_PER_H * 0.1


def write_dust_mix(path: Path) -> None:
    """Write the table that SKIRT's ``MeanFileDustMix`` reads."""
    wavelength, albedo, cosine, _ = DRAINE03.T
    write_columns(
        path,
        "Milky Way dust, R_V = 3.1, Weingartner & Draine 2001 with Draine 2003",
        {
            ("wavelength", "micron"): wavelength,
            ("extinction mass coefficient", "m2/kg"): mass_extinction(),
            ("scattering albedo", "1"): albedo,
            ("scattering asymmetry parameter", "1"): cosine,
        },
    )
