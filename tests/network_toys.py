"""A data set of a few painted galaxies."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from dmlib.dataset.views import Recipe
from dmlib.networks.plan import Entry, Schedule
from dmlib.settings import RADII_KPC, Settings

BANDS = ("u", "g", "r", "i", "z")
CHANNELS = (*BANDS, "moment0", "moment1", "moment2")
PIXELS = 32

SHORT = Schedule(epochs=4, members=2, patience=None, decay="cosine", batch=16)
ENTRIES = [
    Entry("tiny/all", "tiny", "all", SHORT),
    Entry("tiny/hi", "tiny", "hi", Schedule(epochs=2, members=1, patience=None, batch=16), share=0.5),
]


def paint(n_galaxies: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normalised inputs (3 n, 32, 32, 8), ln M (3 n, 20) and the galaxies' numbers.

    A galaxy of mass M is a Gaussian blob: its light is proportional to M, its velocity gradient to the root of M.
    """
    rng = np.random.default_rng(seed)
    galaxy = np.repeat(np.arange(n_galaxies), 3)
    mass = rng.normal(0.0, 0.5, n_galaxies)[galaxy]
    side = (np.arange(PIXELS) + 0.5) / PIXELS * 2.0 - 1.0
    x, y = side[None, None, :], side[None, :, None]
    angle = rng.uniform(0.0, 2.0 * np.pi, len(galaxy))[:, None, None]
    blob = np.exp(-(x**2 + y**2) / 0.18) + 0.0 * angle
    inputs = np.zeros((len(galaxy), PIXELS, PIXELS, len(CHANNELS)), dtype=np.float32)
    inputs[..., :5] = np.clip(2.0 + mass[:, None, None] + np.log10(blob), 0.0, None)[..., None]
    gas = blob > 0.2
    inputs[..., 5] = np.where(gas, 1.0 + np.log10(blob), -2.0)
    inputs[..., 6] = np.where(gas, np.exp(0.5 * mass)[:, None, None] * (x * np.cos(angle) + y * np.sin(angle)), 0.0)
    inputs[..., 7] = np.where(gas, 0.3, 0.0)
    ln_m = 24.0 + np.log(RADII_KPC) + mass[:, None] + rng.normal(0.0, 0.05, n_galaxies)[galaxy][:, None]
    return inputs, ln_m, galaxy


def write_dataset(settings: Settings, n_galaxies: int = 20, *, identity: str = "1" * 64, seed: int = 1) -> Path:
    """Write a data set of painted galaxies; the first has no mass within the first radius."""
    path = settings.dataset_path
    path.parent.mkdir(parents=True, exist_ok=True)
    inputs, ln_m, galaxy = paint(n_galaxies, seed)
    mass = np.exp(ln_m)
    mass[galaxy == 0, 0] = 0.0
    n = len(galaxy)
    gas = inputs[..., 5] > -1.99
    hi = np.stack([10.0 ** inputs[..., 5], inputs[..., 6] * 200.0, inputs[..., 7] * 50.0], axis=-1)
    numbers = {"subhalo_id": galaxy, "group_id": galaxy, "view": np.tile(np.arange(3), n_galaxies)}
    numbers["split"] = np.searchsorted([0.6, 0.8], (galaxy + 0.5) / n_galaxies)
    numbers["split"][(numbers["split"] == 0) & (galaxy % 4 == 3)] = 3
    columns = {name: (values, "") for name, values in numbers.items()}
    angles = ("inclination", "position_angle", "inclination_stars", "position_angle_stars")
    columns |= {name: (np.full(n, 45.0), "deg") for name in angles}
    columns |= {name: (np.full(n, 1e10), "Msun") for name in ("m_star", "m_hi", "m200")}
    columns |= {"sfr": (np.ones(n), "Msun / yr"), "is_true_central": (np.ones(n, dtype=bool), "")}
    with h5py.File(path, "w") as handle:
        for name, (values, unit) in columns.items():
            handle[name] = values
            handle[name].attrs["unit"] = unit
        handle["images"] = np.sinh(inputs[..., :5] * np.log(10.0)) * 0.2 * (128.0 / PIXELS) ** 2
        handle["images"].attrs.update({"bands": list(BANDS), "unit": "counts/s/pixel"})
        handle["hi"] = np.where(gas[..., None], hi, np.nan)
        handle["dm_profile"], handle["radii"] = mass, RADII_KPC
        aside = handle.create_group("set_aside")
        aside["subhalo_id"] = np.zeros(0, dtype=int)
        for name in ("stage", "reason"):
            aside.create_dataset(name, shape=(0,), dtype=h5py.string_dtype())
        handle.attrs.update(
            {"field_of_view": 128.0, "pixels": PIXELS, "input_pixels": PIXELS, "recipe": Recipe().model_dump_json()}
        )
        handle.attrs.update({"made_from": identity[::-1], "universe_identity": identity})
        handle.attrs.update({"data": "painted galaxies", "profile": "smoke"})
    return path


def haloes(n: int, seed: int = 1, particle: float | None = None) -> np.ndarray:
    """ln M, shape (n, 20), of NFW haloes of many masses and concentrations; counted in particles where asked for."""
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.normal(np.log(20.0), 0.4, n))[:, None]
    x = RADII_KPC / scale
    mass = np.exp(rng.normal(26.0, 0.5, n))[:, None] * (np.log1p(x) - x / (1.0 + x))
    if particle:
        shells = rng.poisson(np.diff(mass, axis=1, prepend=0.0) / particle)
        mass = particle * np.cumsum(shells, axis=1)
    with np.errstate(divide="ignore"):
        return np.where(mass > 0, np.log(mass), np.nan)
