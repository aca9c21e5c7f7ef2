"""Tables about the networks of a run: what they are, what they cost, and how much their members differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dataset.read import DataSet, ln_mass
from .architectures import ARCHITECTURES as KNOWN
from .architectures import cost
from .fit import Views, overfit_one_batch
from .plan import ARCHITECTURES
from .targets import Standard


def architecture_rows(index: dict[str, Any], dataset: DataSet) -> list[dict[str, Any]]:
    """One row for each architecture that was trained on all inputs.

    Parameters
    ----------
    index : dict
        See `dmlib.networks.models.read_index`.
    dataset : DataSet

    Returns
    -------
    list of dict
        ``name``, ``origin``, ``parameters``, ``multiplications`` (one image, forward), ``members``, ``epochs`` (run, at
        most), ``seconds`` (wall time of one member's training, mean).
    """
    channels = dataset.channels("all")
    rows = []
    for name in ARCHITECTURES:
        entry = index[f"{name}/all"]
        network = KNOWN[name].build(channels, dataset.grid.pixels, len(dataset.radii))
        members = entry["members"]
        rows.append(
            {
                "name": name,
                "origin": KNOWN[name].origin,
                "parameters": entry["parameters"],
                "multiplications": cost(network)["multiplications"],
                "members": len(members),
                "epochs": max(member["epochs_run"] for member in members),
                "seconds": float(np.mean([member["seconds"] for member in members])),
            }
        )
    return rows


def one_batch(dataset: DataSet, n: int) -> Views:
    """Some `n` training views, with targets on the scale of all training galaxies.

    They are taken evenly from the whole file, which is in the order of the catalogue, heavy haloes first: the first `n`
    would all be alike.
    """
    train = dataset.rows("train")
    ln_m = ln_mass(dataset.dm_profile)
    some = train[np.linspace(0, len(train) - 1, min(n, len(train))).astype(int)]
    targets = Standard.of(ln_m[train]).scale(ln_m[some])
    return Views(dataset.inputs(some), targets, np.asarray(dataset.table["subhalo_id"])[some])


def overfit_all(dataset: DataSet, batch: Views, *, steps: int, seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """`fit.overfit_one_batch` of every architecture but ResNet50, name -> steps and losses."""
    channels = dataset.channels("all")
    return {
        name: overfit_one_batch(name, channels, batch, steps=steps, seed=seed, every=5)
        for name in ARCHITECTURES
        if name != "ResNet50"
    }
