"""Compare two builds of the book number by number, for changes that must not change a result.

python -m benchmarks.compare_builds OLD NEW [--rtol 1e-6]

OLD and NEW are build folders, such as ``build/embedded-smoke`` of two checkouts. Compared are ``results.json``, the
arrays of the products in HDF5, the weights of the networks, and the numbers plotted in the figures. Texts are not: they
may be reworded. Exit code 1 when a number differs by more than the tolerance or is missing on one side.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np

#: Wall and processor times differ from run to run.
TIMES = ("seconds", "time")

PRODUCTS = (
    "targets.hdf5",
    "dataset.hdf5",
    "predictions.hdf5",
    "posteriors.hdf5",
    "floor.hdf5",
    "robustness.hdf5",
    "rotation/benchmark.hdf5",
)

Numbers = dict[str, np.ndarray]


def results(build: Path) -> Numbers:
    """Value, error and sample size of each row of ``results.json``."""
    rows = json.loads((build / "results.json").read_text(encoding="utf-8"))
    return {
        f"{row['id']} {key}": np.array(np.nan if row[key] is None else row[key], dtype=float)
        for row in rows
        for key in ("value", "error", "n")
    }


def hdf5(path: Path) -> Numbers:
    """Numeric data sets of an HDF5 file; none where it is missing, as the floor of a run on TNG."""
    found: Numbers = {}
    if not path.is_file():
        return found

    def visit(name: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "iufb":
            found[name] = item[()]

    with h5py.File(path, "r") as handle:
        handle.visititems(visit)
    return found


def weights(folder: Path) -> Numbers:
    """Weights of all networks of a folder ``models``."""
    found: Numbers = {}
    for path in sorted(folder.rglob("*.keras")):
        with zipfile.ZipFile(path) as archive, h5py.File(BytesIO(archive.read("model.weights.h5")), "r") as handle:
            handle.visititems(
                lambda name, item, path=path: (
                    found.update({f"{path.relative_to(folder)}:{name}": item[()]})
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
    return found


def plotted(path: Path) -> Numbers:
    """Numbers of a figure's CSV file, column by column; none where it is missing."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(line for line in handle if not line.startswith("#")))
    found: dict[str, list[float]] = {}
    for row in rows:
        for column, cell in enumerate(row):
            try:
                found.setdefault(f"column {column}", []).append(float(cell))
            except ValueError:
                continue
    return {name: np.array(values) for name, values in found.items()}


def pairs(old: Path, new: Path) -> Iterator[tuple[str, Numbers, Numbers]]:
    """What is compared: name, numbers of the old build, numbers of the new one."""
    yield "results.json", results(old), results(new)
    for name in PRODUCTS:
        yield name, hdf5(old / name), hdf5(new / name)
    yield "models", weights(old / "models"), weights(new / "models")
    for name in sorted({path.name for build in (old, new) for path in (build / "figures").glob("*.csv")}):
        yield f"figures/{name}", plotted(old / "figures" / name), plotted(new / "figures" / name)


def difference(old: np.ndarray, new: np.ndarray) -> float:
    """Largest difference relative to the larger of each pair, or to a millionth of the array's range near zero."""
    if old.shape != new.shape:
        return np.inf
    if old.size == 0:
        return 0.0
    old, new = old.astype(float), new.astype(float)
    odd = ~np.isfinite(old) | ~np.isfinite(new)
    if not np.array_equal(old[odd], new[odd], equal_nan=True):
        return np.inf
    scale = np.maximum(np.abs(old), np.abs(new))
    finite = scale[np.isfinite(scale)]
    floor = 1e-6 * finite.max() if finite.size else 1.0
    with np.errstate(invalid="ignore"):
        relative = np.where(old == new, 0.0, np.abs(old - new) / np.maximum(scale, max(floor, 1e-300)))
    return float(np.nanmax(relative, initial=0.0))


def main(arguments: list[str] | None = None) -> int:
    """Print what differs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--rtol", type=float, default=1e-6)
    given = parser.parse_args(arguments)
    bad = 0
    for name, old, new in pairs(given.old, given.new):
        times = {key for key in old if any(word in key for word in TIMES)}
        worst, lines = 0.0, []
        for key in sorted((old.keys() | new.keys()) - times):
            if key not in old or key not in new:
                if not any(word in key for word in TIMES):
                    lines.append(f"  {key}: only in the {'new' if key in new else 'old'} build")
                continue
            found = difference(old[key], new[key])
            worst = max(worst, found)
            if found > given.rtol:
                values = f" {old[key]} -> {new[key]}" if old[key].ndim == 0 else ""
                lines.append(f"  {key}: {found:.2g}{values}")
        print(
            f"{name}: {len(old)} compared, largest relative difference {worst:.2g}, {len(lines)} beyond {given.rtol:g}"
        )
        print("\n".join(lines), end="\n" if lines else "")
        bad += len(lines)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
