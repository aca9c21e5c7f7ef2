"""Three ways to respect the symmetry of the sky, against the number of training galaxies.

Network E cannot answer differently for another orientation of its input. Its *twin* is the same network without the
group: ordinary kernels, with the same number of weights in the convolutions. The twin is trained with and without
augmentation, and asked for one orientation or for the mean over all eight. All have the paper's schedule and the same
bagged galaxies, and are compared on the same test galaxies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers

from dmlib.bootstrap import Bootstrap, Estimate
from dmlib.dataset.read import DataSet, ln_mass, read_dataset
from dmlib.evaluation.scores import REGIONS, per_view
from dmlib.networks import fit
from dmlib.networks.architectures.c import Channels, RingMeans
from dmlib.networks.augment import mean_over_orientations
from dmlib.networks.plan import ARCHITECTURES, SHARES, Architecture, Schedule, share_of
from dmlib.networks.train import MEMORY
from dmlib.observe.moments import BLANK
from dmlib.settings import Settings
from dmlib.workers import Blocks, map_parallel, single_thread

MEMBERS = 3
ALL_SHARES = (*SHARES, 1.0)

#: Features of the twin's convolutions: those of E times the square root of the group's eight elements, so that the
#: convolutions have as many weights; and kernels and strides, as in E.
_TWIN = ((11, 4, 2), (23, 4, 2), (45, 4, 2), (45, 3, 1))

#: How each is trained, and asked: architecture, augmentation, mean over the orientations.
WAYS = {
    "E": ("E", True, True),
    "twin, augmented, averaged": ("twin", True, True),
    "twin, augmented": ("twin", True, False),
    "twin, averaged": ("twin", False, True),
    "twin": ("twin", False, False),
}


def twin(channels: Sequence[str], pixels: int, outputs: int) -> keras.Model:
    """Architecture E with ordinary convolutions, see `dmlib.networks.architectures.e`."""
    image = keras.Input((pixels, pixels, len(channels)), name="image")
    x = layers.Rescaling(1.0, [-BLANK if name == "moment0" else 0.0 for name in channels])(image)
    light = [k for k, name in enumerate(channels) if not name.startswith("moment")]
    gas = [k for k, name in enumerate(channels) if name.startswith("moment")]
    stem, *deeper = _TWIN
    maps = [layers.Concatenate()([_convolve(Channels(chosen)(x), *stem) for chosen in (light, gas)])]
    for step in deeper:
        maps.append(_convolve(maps[-1], *step))
    x = layers.Concatenate()([RingMeans()(maps[1]), RingMeans()(maps[-1])])
    x = layers.Dropout(0.1)(layers.Dense(128, activation="relu")(x))
    x = layers.Dropout(0.1)(layers.Dense(64, activation="relu")(x))
    return keras.Model(image, layers.Dense(outputs, dtype="float32", name="ln_m_dm")(x), name="twin")


def _convolve(x: keras.KerasTensor, filters: int, kernel: int, stride: int) -> keras.KerasTensor:
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False)(x)
    return layers.Activation("relu")(layers.BatchNormalization(momentum=0.95)(x))


_ARCHITECTURES = {"E": ARCHITECTURES["E"], "twin": Architecture("twin", f"{__name__}:twin", "E without the group", "")}


@dataclass(frozen=True)
class _Training:
    """One member."""

    settings: Settings
    folder: Path
    architecture: str
    augment: bool
    share: float
    member: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.architecture}-{'augmented' if self.augment else 'plain'}-{self.share:g}-{self.member}"


def _train(how: _Training) -> str:
    """Train a member, and keep what it predicts for one orientation and for the mean of all."""
    blocks = Blocks(how.folder)
    if blocks.read(how.name) is None:
        dataset = read_dataset(how.settings.dataset_path)
        galaxy, ln_m = np.asarray(dataset.table["subhalo_id"]), ln_mass(dataset.dm_profile)
        rows = dataset.rows("train")
        rows = rows[share_of(galaxy[rows], how.share, how.settings.seed)]
        standard = fit.Standard.of(ln_m[rows])
        training, validation = (
            fit.Views(dataset.inputs(some), standard.scale(ln_m[some]), galaxy[some], standard)
            for some in (rows, dataset.rows("validation"))
        )
        # Equal seeds draw equal galaxies, whatever the network.
        model, history = fit.fit(
            _ARCHITECTURES[how.architecture],
            dataset.channels("all"),
            training,
            validation,
            replace(Schedule(), augment=how.augment),
            seed=1000 * how.settings.seed + how.member,
            name=how.name,
            checkpoint=how.folder / f"{how.name}.checkpoint",
        )
        test = dataset.inputs(dataset.rows("test"))
        ask = partial(fit.predict, model)
        one, averaged = ask(test), mean_over_orientations(ask, test)
        blocks.write(
            how.name,
            one=standard.unscale(one),
            averaged=standard.unscale(averaged),
            epochs=np.array([len(history["loss"]), fit.best_epoch(history) + 1]),
            galaxies=np.array(len(np.unique(galaxy[rows]))),
            parameters=np.array(sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)),
            seconds=np.array(len(history["loss"]) * float(np.quantile(history["seconds"], 0.1))),
        )
    return how.name


def measure(build_root: Path, workers: int | None = None) -> dict:
    """Errors of each way at each number of galaxies, and paired differences; `build_root` holds ``embedded-quick``."""
    settings = Settings(build_root=str(build_root))
    folder = settings.build / "reference" / "orientations"
    folder.mkdir(parents=True, exist_ok=True)
    trained = sorted({(architecture, augment) for architecture, augment, _ in WAYS.values()})
    todo = [
        _Training(settings, folder, architecture, augment, share, member)
        for member in range(MEMBERS)
        for share in ALL_SHARES
        for architecture, augment in trained
    ]
    dataset = read_dataset(settings.dataset_path)
    memory = MEMORY + 8.0 * len(dataset) * dataset.input_grid.pixels**2 * len(dataset.channels("all"))
    done = map_parallel(
        _train, todo, memory=memory, workers=workers, what="trained networks", environment=single_thread()
    )
    for name in done:
        print("trained", name, flush=True)
    return _compare(dataset, folder)


def _compare(dataset: DataSet, folder: Path) -> dict:
    test = dataset.rows("test")
    truth = dataset.dm_profile[test]
    bootstrap = Bootstrap(np.asarray(dataset.table["subhalo_id"])[test], seed=1)
    low, high = REGIONS["intermediate"]
    inside = (dataset.radii >= low) & (dataset.radii <= high)
    spread = np.nanstd(ln_mass(dataset.dm_profile[dataset.rows("train")]), axis=0)
    errors: dict[tuple[str, float], np.ndarray] = {}
    single: dict[tuple[str, float], np.ndarray] = {}

    def mean_error(ln_m: np.ndarray) -> np.ndarray:
        return per_view(truth, np.exp(ln_m), "relative")[:, inside].mean(axis=1)

    ways: dict[str, list[dict]] = {}
    for way, (architecture, augment, averaged) in WAYS.items():
        for share in ALL_SHARES:
            names = [_Training(Settings(), folder, architecture, augment, share, k).name for k in range(MEMBERS)]
            members = [found for name in names if (found := Blocks(folder).read(name)) is not None]
            asked = [one["averaged" if averaged else "one"] for one in members]
            errors[way, share] = mean_error(np.mean(asked, axis=0))
            single[way, share] = np.array([mean_error(ln_m).mean() for ln_m in asked])
            apart = [(one["one"] - one["averaged"]) / spread for one in members]
            ways.setdefault(way, []).append(
                {
                    "galaxies": int(members[0]["galaxies"]),
                    "error": _with_seeds(bootstrap.mean(errors[way, share]), single[way, share]),
                    "members": single[way, share].tolist(),
                    "epochs": [int(one["epochs"][0]) for one in members],
                    "parameters": int(members[0]["parameters"]),
                    "seconds_per_member": float(np.mean([one["seconds"] for one in members])),
                    "one_orientation_rms": float(np.sqrt(np.mean(np.square(apart)))),
                }
            )
    for way, points in ways.items():
        for share, point in zip(ALL_SHARES, points, strict=True):
            if way != "E":
                less = bootstrap.difference(errors[way, share], errors["E", share])
                # Member k of both has seen the same bagged galaxies.
                point["less_E"] = _with_seeds(less, single[way, share] - single["E", share])
    return {
        "views": len(test),
        "test_galaxies": bootstrap.n_galaxies,
        "members": MEMBERS,
        "schedule": "the paper's, bagged galaxies",
        "errors": "galaxies (bootstrap) and members (their scatter), added in quadrature",
        "mean_error_5_to_50_kpc": ways,
    }


def _with_seeds(found: Estimate, members: np.ndarray) -> dict[str, float]:
    """As `Estimate` takes it, with the scatter between members beside that between galaxies.

    The mean prediction of n members is taken to scatter as the mean of their errors does, by 1 / sqrt(n) of the scatter
    of one; three members tell it to about a half.
    """
    seeds = float(members.std(ddof=1) / np.sqrt(len(members)))
    return {key: float(number) for key, number in vars(found.with_error(seeds)).items()}
