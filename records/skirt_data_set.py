"""A small data set with images of SKIRT 9 beside one of particle light: the same galaxies, views and splits.

A network is trained on either and tested on both, so that four numbers tell whether radiative transfer makes images
harder to read, and what a network does that has learned from the other kind.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dmlib import sample, targets
from dmlib.bootstrap import Bootstrap, Estimate
from dmlib.dataset.build import build
from dmlib.dataset.read import DataSet, ln_mass, read_dataset
from dmlib.dataset.views import Recipe
from dmlib.evaluation.scores import REGIONS, per_view
from dmlib.networks.adaptation import train, views
from dmlib.networks.fit import Standard
from dmlib.networks.plan import Schedule
from dmlib.observe.images import UGRIZ
from dmlib.observe.skirt import SkirtSettings
from dmlib.settings import Settings

GALAXIES = 40
KINDS = ("particles", "skirt")
SEEDS = (1, 2, 3)
SHARES = {"train": 0.5, "validation": 0.2, "calibration": 0.0}
SCHEDULE = Schedule(epochs=60, members=1, patience=20, batch=16)


def made(settings: Settings) -> dict[str, DataSet]:
    """Both data sets, made where they are missing, in the folder of a subsample beside that of `settings`."""
    few = settings.model_copy(update={"sample": GALAXIES})
    few.build.mkdir(parents=True, exist_ok=True)
    for path, make in ((few.sample_path, sample.build), (few.targets_path, targets.build)):
        if not path.is_file():
            make(few)
    out = {}
    for kind in KINDS:
        path = few.build / f"{kind}.hdf5"
        if not path.is_file():
            recipe = Recipe(images=kind, skirt=SkirtSettings(library="self-contained"), **SHARES)
            build(few, recipe=recipe, path=path, block_size=2)
        out[kind] = read_dataset(path)
    return out


def measure(build_root: Path) -> dict:
    """Errors of networks on images of either kind, and how the images differ; `build_root` holds ``embedded-quick``."""
    sets = made(Settings(build_root=str(build_root)))
    both = [np.asarray(sets[kind].table["subhalo_id"]) for kind in KINDS]
    common = np.intersect1d(both[0], both[1])
    rows = {kind: np.flatnonzero(np.isin(ids, common)) for kind, ids in zip(KINDS, both, strict=True)}
    parts = {
        kind: {split: np.intersect1d(rows[kind], sets[kind].rows(split)) for split in ("train", "validation", "test")}
        for kind in KINDS
    }
    first, test = sets["particles"], parts["particles"]["test"]
    bootstrap = Bootstrap(np.asarray(first.table["subhalo_id"])[test], seed=1)
    ln_m = ln_mass(first.dm_profile)
    truth = first.dm_profile[test]
    low, high = REGIONS["intermediate"]
    inside = (first.radii >= low) & (first.radii <= high)

    def error(predicted: np.ndarray) -> np.ndarray:
        return per_view(truth, np.exp(predicted), "relative")[:, inside].mean(axis=1)

    errors = {"mean profile": error(np.broadcast_to(ln_m[parts["particles"]["train"]].mean(axis=0), truth.shape))}
    for kind in KINDS:
        data, ids = sets[kind], np.asarray(sets[kind].table["subhalo_id"])
        standard = Standard.of(ln_mass(data.dm_profile[parts[kind]["train"]]))
        known, checked = (
            views(data.inputs(of, UGRIZ), ln_mass(data.dm_profile[of]), ids[of], standard)
            for of in (parts[kind]["train"], parts[kind]["validation"])
        )
        networks = [train(UGRIZ, known, checked, SCHEDULE, seed) for seed in SEEDS]
        for seen in KINDS:
            shown = sets[seen].inputs(parts[seen]["test"], UGRIZ)
            errors[f"{kind}, tested on {seen}"] = error(np.mean([one.predict_ln(shown) for one in networks], axis=0))
    own = [errors[f"{kind}, tested on {kind}"] for kind in KINDS]
    ratio = np.log(_light(sets["skirt"], rows["skirt"]) / _light(sets["particles"], rows["particles"]))
    return {
        "galaxies": {split: len(np.unique(both[0][of])) for split, of in parts["particles"].items()},
        "views": {split: len(of) for split, of in parts["particles"].items()},
        "set_aside": {kind: len(sets[kind].set_aside) for kind in KINDS},
        "network": "C on ugriz, mean of three members",
        "mean_error_5_to_50_kpc": {name: _pair(bootstrap.mean(values)) for name, values in errors.items()},
        "skirt_less_particles": _pair(bootstrap.difference(own[1], own[0])),
        "ln_flux_skirt_over_particles": {
            band: {
                "median": float(np.median(of)),
                "p16": float(np.quantile(of, 0.16)),
                "p84": float(np.quantile(of, 0.84)),
            }
            for band, of in zip(UGRIZ, ratio.T, strict=True)
        },
    }


def _light(dataset: DataSet, rows: np.ndarray) -> np.ndarray:
    """Flux in the field of each view and band."""
    return dataset.images(rows).sum(axis=(1, 2))


def _pair(found: Estimate) -> dict[str, float]:
    return {"value": float(found.value), "error": float(found.error)}
