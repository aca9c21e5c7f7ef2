"""Three choices of profile ``quick``, by what they do to the errors of the validation galaxies.

How much of the field do networks see? The same views are trained on in full, 128 kpc wide, and with their margins cut
off, as the profile does at 96 kpc. And does it pay to train in bfloat16? Both are asked of A and of C, with the
profile's schedule and several seeds. Do networks lose accuracy by the epochs that the profile no longer spends? This is
asked of all whose number of epochs was cut. The folder ``build`` holds ``embedded-quick``, the book.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dmlib.bootstrap import Bootstrap, Estimate
from dmlib.dataset.read import DataSet, ln_mass, read_dataset
from dmlib.evaluation.scores import REGIONS, per_view, verdict
from dmlib.networks import fit
from dmlib.networks.augment import mean_over_orientations
from dmlib.networks.plan import architecture
from dmlib.networks.train import MEMORY
from dmlib.observe.sky import central_part
from dmlib.settings import Settings
from dmlib.workers import Blocks, map_parallel, single_thread, worker_environment

ARCHITECTURES = ("A", "C")
SEEDS = (1, 2, 3, 4, 5)

#: Epochs of the trainings that are timed.
TIMED = 5

#: Networks that profile ``quick`` trains for fewer epochs than it once did: how many those were, and the seeds with
#: which both numbers are tried. Everything else is as the profile has it now.
EARLIER: dict[str, tuple[int, tuple[int, ...]]] = {
    "A": (24, (1, 2, 3)),
    "A_scripts": (24, (1, 2, 3)),
    "B": (20, (1, 2, 3)),
    "E": (24, (1, 2, 3)),
    "ResNet50": (3, (1, 2)),
}

#: Part of the record that can be measured without the others, see `measure_epochs`.
EPOCHS = "epochs"

#: Pixels a side that networks see, of the 64 of the data set (2 kpc each): 128, 96 and 64 kpc.
PIXELS = (64, 48, 32)

Precision = Literal["float32", "mixed_bfloat16"]


@dataclass(frozen=True)
class _Training:
    """One network."""

    settings: Settings
    folder: Path
    architecture: str
    pixels: int
    precision: Precision
    seed: int
    epochs: int = 0

    @property
    def name(self) -> str:
        """Of its file."""
        of = f"{self.architecture}-{self.pixels}-{self.precision}-{self.seed}"
        return f"{of}-{self.epochs}" if self.epochs else of


@dataclass(frozen=True)
class _Fitted:
    """What is kept of a network: ln M of the validation views, the least validation loss, and processor time [s]."""

    ln_m: np.ndarray
    loss: float
    seconds: float


def _fit(how: _Training, told: Callable[[int], object] = lambda epochs: None, **changes: Any) -> _Fitted:
    """Train a network, and predict ln M of the validation views, shape (n, 20)."""
    whole = read_dataset(how.settings.dataset_path)
    dataset = replace(whole, input_grid=whole.grid.central(how.pixels))
    galaxy, ln_m = np.asarray(dataset.table["subhalo_id"]), ln_mass(dataset.dm_profile)
    rows = dataset.rows("train")
    standard = fit.Standard.of(ln_m[rows])
    training, validation = (
        fit.Views(dataset.inputs(some), standard.scale(ln_m[some]), galaxy[some], standard)
        for some in (rows, dataset.rows("validation"))
    )
    of, channels = architecture(how.architecture), dataset.channels("all")
    schedule = replace(of.schedule("quick"), **changes)
    start = time.process_time()
    with worker_environment(DMLIB_PRECISION=how.precision):
        model, history = fit.fit(of, channels, training, validation, schedule, how.seed, name=how.name, told=told)
    seconds = time.process_time() - start
    ln_m = standard.unscale(mean_over_orientations(partial(fit.predict, model), validation.inputs))
    return _Fitted(ln_m, min(history["val_loss"]), seconds)


def _train(how: _Training) -> str:
    """Train a network, and keep what it predicts for the validation views."""
    blocks = Blocks(how.folder)
    if blocks.read(how.name) is None:
        blocks.write(how.name, ln_m=_fit(how).ln_m)
    return how.name


def _train_for(how: _Training) -> str:
    """Train a network for its number of epochs, and keep what it predicts, its loss and its time."""
    blocks = Blocks(how.folder)
    if blocks.read(how.name) is None:
        blocks.write(how.name, **vars(_fit(how, epochs=how.epochs)))
    return how.name


def _time(how: _Training) -> str:
    """Train a network for a few epochs, and keep the processor time of the fastest: others may use the machine."""
    blocks, name = Blocks(how.folder), f"time-{how.name}"
    if blocks.read(name) is None:
        clock = [time.process_time()]
        _fit(how, lambda epochs: clock.append(time.process_time()), epochs=TIMED)
        # Before the first epoch ends its graph is traced.
        blocks.write(name, seconds=np.min(np.diff(clock)[1:TIMED]))
    return name


def todo(settings: Settings, folder: Path) -> list[_Training]:
    """All trainings, seed by seed."""
    asked: list[tuple[int, Precision]] = [(pixels, "float32") for pixels in PIXELS]
    asked.append((settings.sizes.input_pixels, "mixed_bfloat16"))
    return [
        _Training(settings, folder, name, pixels, precision, seed)
        for seed in SEEDS
        for name in ARCHITECTURES
        for pixels, precision in asked
    ]


def todo_for(settings: Settings, folder: Path) -> list[_Training]:
    """The trainings with today's and with the earlier number of epochs, seed by seed; the most expensive at the end."""
    seen = settings.sizes.input_pixels
    found = [
        (seed, _Training(settings, folder, name, seen, "float32", seed, epochs))
        for name, (earlier, seeds) in EARLIER.items()
        for epochs in (earlier, architecture(name).schedule("quick").epochs)
        for seed in seeds
    ]
    return [how for _, how in sorted(found, key=lambda one: (one[1].architecture == "ResNet50", one[0]))]


def measure(build_root: Path) -> dict:
    """Errors of the validation galaxies and speed of the trainings, with differences seed by seed."""
    settings, folder = _place(build_root)
    # One after the other, in a process of one thread, so that none disturbs the time of another.
    pool = partial(map_parallel, memory=MEMORY, workers=1, what="trained networks", apart=True)
    for work in (_train, _time):
        for name in pool(work, todo(settings, folder), environment=single_thread()):
            print("done", name, flush=True)
    return measure_epochs(build_root, compare(read_dataset(settings.dataset_path), settings, folder))


def measure_epochs(build_root: Path, others: dict) -> dict:
    """The record with its part on the number of epochs measured, and the other parts as they are given."""
    settings, folder = _place(build_root)
    # Two at a time, as the profile trains; the time is that of the processor.
    pool = partial(map_parallel, memory=MEMORY, workers=2, what="trained networks")
    for name in pool(_train_for, todo_for(settings, folder), environment=single_thread()):
        print("done", name, flush=True)
    found = others | {EPOCHS: compare_epochs(read_dataset(settings.dataset_path), settings, folder)}
    return found | {"numbers": numbers_of(found), "rows": rows_of(found), "epochs_rows": epochs_rows_of(found)}


def _place(build_root: Path) -> tuple[Settings, Path]:
    """Settings of the book, and the folder of what the trainings leave."""
    settings = Settings(build_root=str(build_root))
    folder = settings.build / "reference" / "training-choices"
    folder.mkdir(parents=True, exist_ok=True)
    return settings, folder


@dataclass(frozen=True)
class _Errors:
    """Mean |dM/M| of the validation views from 5 to 50 kpc."""

    truth: np.ndarray
    inside: np.ndarray
    bootstrap: Bootstrap

    @classmethod
    def of(cls, dataset: DataSet) -> _Errors:
        rows = dataset.rows("validation")
        low, high = REGIONS["intermediate"]
        inside = (dataset.radii >= low) & (dataset.radii <= high)
        return cls(dataset.dm_profile[rows], inside, Bootstrap(np.asarray(dataset.table["subhalo_id"])[rows], seed=1))

    def views(self, found: list[dict]) -> np.ndarray:
        """Of each training and view, shape (training, view)."""
        ln_m = [np.exp(one["ln_m"]) for one in found]
        return np.stack([per_view(self.truth, m, "relative")[:, self.inside].mean(axis=1) for m in ln_m])

    def mean(self, errors: np.ndarray) -> dict[str, float]:
        return _with_seeds(self.bootstrap.mean(errors.mean(axis=0)), errors.mean(axis=1))

    def less(self, errors: np.ndarray, standard: np.ndarray) -> dict[str, float]:
        less = self.bootstrap.difference(errors.mean(axis=0), standard.mean(axis=0))
        return _with_seeds(less, errors.mean(axis=1) - standard.mean(axis=1))


def compare(dataset: DataSet, settings: Settings, folder: Path) -> dict:
    """The parts on the field and on the precision, from what the trainings left in a folder."""
    of, blocks = _Errors.of(dataset), Blocks(folder)
    stored = {
        one: {**(blocks.read(one.name) or {}), **(blocks.read(f"time-{one.name}") or {})}
        for one in todo(settings, folder)
    }
    views = len(dataset.rows("train"))

    def of_all_seeds(name: str, pixels: int, precision: Precision = "float32") -> tuple[np.ndarray, dict]:
        """Error of each view with each seed, and what the record says of them."""
        found = [stored[_Training(settings, folder, name, pixels, precision, seed)] for seed in SEEDS]
        errors = of.views(found)
        return errors, {
            "error": of.mean(errors),
            "by_seed": errors.mean(axis=1).tolist(),
            "views_per_second": [views / float(one["seconds"]) for one in found],
        }

    seen = settings.sizes.input_pixels
    fields: dict[str, list[dict]] = {}
    precisions: dict[str, dict[str, dict]] = {}
    for name in ARCHITECTURES:
        standard, about = of_all_seeds(name, seen)
        for grid in map(dataset.grid.central, PIXELS):
            errors, row = of_all_seeds(name, grid.pixels)
            row |= {"kpc": grid.field_of_view, "pixels": grid.pixels}
            row["hi_not_blank"] = _share_with_hi(dataset, grid.pixels)
            book = grid.pixels == seen
            fields.setdefault(name, []).append(row if book else row | {"less_book": of.less(errors, standard)})
        errors, short = of_all_seeds(name, seen, "mixed_bfloat16")
        speed = np.divide(short["views_per_second"], about["views_per_second"])
        short["speed_over_float32"] = {
            "value": float(speed.mean()),
            "error": float(speed.std(ddof=1) / np.sqrt(len(speed))),
        }
        precisions[name] = {"float32": about, "mixed_bfloat16": short | {"less_float32": of.less(errors, standard)}}
    return {
        "validation_galaxies": of.bootstrap.n_galaxies,
        "views": len(of.truth),
        "seeds": list(SEEDS),
        "schedule": "profile quick",
        "errors": "galaxies (bootstrap) and seeds (their scatter), added in quadrature",
        "speed": "views trained on in a second of the processor, with the validation after each epoch, seed by seed",
        "field": fields,
        "precision": precisions,
    }


def compare_epochs(dataset: DataSet, settings: Settings, folder: Path) -> dict[str, dict]:
    """The part on the number of epochs, from what the trainings left in a folder."""
    of, blocks = _Errors.of(dataset), Blocks(folder)
    kept = {(one.architecture, one.epochs, one.seed): blocks.read(one.name) or {} for one in todo_for(settings, folder)}
    parts: dict[str, dict] = {}
    for name, (earlier, seeds) in EARLIER.items():
        errors, parts[name] = {}, {"seeds": list(seeds)}
        for when, epochs in (("earlier", earlier), ("today", architecture(name).schedule("quick").epochs)):
            found = [kept[name, epochs, seed] for seed in seeds]
            errors[when] = of.views(found)
            parts[name][when] = {
                "epochs": epochs,
                "error": of.mean(errors[when]),
                "by_seed": errors[when].mean(axis=1).tolist(),
                "loss": [float(one["loss"]) for one in found],
                "seconds": [float(one["seconds"]) for one in found],
            }
        parts[name]["less_earlier"] = of.less(errors["today"], errors["earlier"])
    return parts


def numbers_of(found: dict) -> dict[str, dict[str, dict]]:
    """What the chapters quote: of chapter 7 ``field-...``, of chapter 10 ``precision-...`` and ``epochs-...``."""
    n, error = found["validation_galaxies"], "Mean |dM/M| of the validation galaxies from 5 to 50 kpc"
    field: dict[str, dict] = {
        "seeds": {"value": len(found["seeds"]), "statement": "Trainings of each network on each field"}
    }
    for name, points in found["field"].items():
        seen = next(point for point in points if "less_book" not in point)
        for point in points:
            kind = f"{point['kpc']:g}"
            where = f"{kind} kpc"
            say = f"Share of the HI maps' pixels with HI, {where}"
            field[f"hi-{kind}"] = {"value": point["hi_not_blank"], "statement": say}
            if point is seen:
                continue
            id, less = f"{name.lower()}-{kind}", f"{name} on {where} less on the field of the book"
            field[id] = _part(point["less_book"]) | {"n": n, "statement": f"{error}, {less}"}
            lower = sum(a < b for a, b in zip(point["by_seed"], seen["by_seed"], strict=True))
            field[f"{id}-lower"] = {"value": lower, "statement": f"Seeds with a negative difference: {error}, {less}"}
            say = f"Time to train {name} on {where} over that on the field of the book"
            field[f"{id}-cost"] = {"value": _speed(seen) / _speed(point), "statement": say}
    precision = {}
    for name, ways in found["precision"].items():
        short, id = ways["mixed_bfloat16"], name.lower()
        say = f"Speed of the training of {name} in mixed bfloat16 over that in float32, one core without AMX"
        precision[f"{id}-speed"] = short["speed_over_float32"] | {"statement": say}
        say = f"{error}, {name} trained in mixed bfloat16 less in float32"
        precision[f"{id}-less"] = _part(short["less_float32"]) | {"n": n, "statement": say}
    return {"field": field, "precision": precision, EPOCHS: _numbers_of_epochs(found[EPOCHS], n, error)}


def _numbers_of_epochs(parts: dict[str, dict], n: int, error: str) -> dict[str, dict]:
    # Two standard deviations, as everywhere in the chapter: settled on 2026-12-01, before the trainings.
    verdicts = [verdict(Estimate(**part["less_earlier"])) for part in parts.values()]
    largest = max(parts, key=lambda name: parts[name]["less_earlier"]["value"])
    cost = [sum(np.mean(part[when]["seconds"]) for part in parts.values()) for when in ("today", "earlier")]
    # Not a criterion: losses were seen when this was added.
    lower = [np.all(np.less(part["earlier"]["loss"], part["today"]["loss"])) for part in parts.values()]
    less = "with today's number of epochs less with the earlier"
    numbers: dict[str, dict[str, Any]] = {
        "of": {"value": len(parts), "statement": "Networks that profile quick trains for fewer epochs than once"},
        "worse": {"value": verdicts.count("worse"), "statement": f"Those with a larger error: {error}, {less}"},
        "better": {"value": verdicts.count("better"), "statement": f"Those with a smaller error: {error}, {less}"},
        "loss": {"value": int(sum(lower)), "statement": "Those with a larger validation loss today, with every seed"},
        "largest": _part(parts[largest]["less_earlier"]) | {"statement": f"{error}, {less}: largest, of {largest}"},
        "cost": {"value": float(cost[0] / cost[1]), "statement": "Processor time of these trainings over the earlier"},
    }
    for name, part in parts.items():
        numbers[f"{name.lower()}-less"] = _part(part["less_earlier"]) | {"statement": f"{error}, {name} {less}"}
    return {id: number | {"n": n} for id, number in numbers.items()}


def epochs_rows_of(found: dict) -> list[dict]:
    """The table of chapter 10."""
    rows = []
    for name, part in found[EPOCHS].items():
        now, before, less = part["today"], part["earlier"], part["less_earlier"]
        rows.append(
            {
                "network": name,
                "epochs": f"{before['epochs']} to {now['epochs']}",
                "seeds": len(part["seeds"]),
                "error": "{value:.3f} ± {error:.3f}".format(**now["error"]),
                "less the earlier": "{value:+.3f} ± {error:.3f}".format(**less),
                "verdict": verdict(Estimate(**less)),
                "validation loss": " to ".join(f"{np.mean(one['loss']):.3f}" for one in (before, now)),
                "seconds": " to ".join(f"{np.mean(one['seconds']):.0f}" for one in (before, now)),
            }
        )
    return rows


def rows_of(found: dict) -> list[dict]:
    """The table of chapter 7."""
    rows = []
    for name, points in found["field"].items():
        for point in points:
            less = point.get("less_book")
            rows.append(
                {
                    "network": name,
                    "side [kpc]": f"{point['kpc']:g}",
                    "with HI": f"{point['hi_not_blank']:.0%}",
                    "error": "{value:.3f} ± {error:.3f}".format(**point["error"]),
                    "less the book's": "{value:+.3f} ± {error:.3f}".format(**less) if less else "",
                    "views a second": f"{_speed(point):.0f}",
                }
            )
    return rows


def _speed(point: dict) -> float:
    return float(np.median(point["views_per_second"]))


def _part(estimate: dict) -> dict[str, float]:
    return {key: estimate[key] for key in ("value", "error")}


def _share_with_hi(dataset: DataSet, pixels: int) -> float:
    """Share of the pixels of the middle of the training views' HI maps that are not blank."""
    maps = central_part(dataset.hi(dataset.rows("train"))[..., :1], pixels)
    return float(np.isfinite(maps).mean())


def _with_seeds(found: Estimate, seeds: np.ndarray) -> dict[str, float]:
    """With the error of the mean over seeds beside that of the galaxies."""
    both = found.with_error(float(seeds.std(ddof=1) / np.sqrt(len(seeds))))
    return {key: float(number) for key, number in vars(both).items()}
