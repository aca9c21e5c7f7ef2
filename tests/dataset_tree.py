"""A dozen galaxies of the embedded universe on a copy that a test may damage, and a process to be killed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np

from dmlib import sample as samples
from dmlib.dataset.build import build
from dmlib.settings import Settings
from dmlib.universe.files import FilesUniverse

PART = {"gas": 0, "dm": 1, "stars": 4}


def copy_tree(source: Settings, root: Path) -> Settings:
    """The same universe elsewhere, by links; `unlink` a file before it is changed."""
    settings = Settings(profile=source.profile, build_root=str(root))
    shutil.copytree(source.universe_dir, settings.universe_dir, copy_function=os.link)
    return settings


def few_galaxies(settings: Settings, n: int) -> None:
    """A sample of `n` galaxies: centrals of the paper's with much star formation, and the best companion of one."""
    universe = FilesUniverse(settings.universe_dir / "output", simulation="embedded")
    papers, _ = samples.select(universe)
    papers = papers[papers["is_true_central"]]
    everyone, _ = samples.select(universe, samples.Criteria(m_star_min=1e8, sfr_min=0, centrals="any"))
    others = everyone[np.isin(everyone["group_id"], papers["group_id"]) & (everyone["n_gas"] > 0)]
    others = others[~np.isin(others["subhalo_id"], papers["subhalo_id"])]
    companion = others[np.argmax(others["sfr"])]
    # The companion's central, and those that form most stars: all have HI to observe.
    rank = np.where(papers["group_id"] == companion["group_id"], np.inf, papers["sfr"].value)
    papers = papers[np.sort(np.argsort(-rank)[: n - 1])]
    samples.write_sample(
        everyone[np.isin(everyone["subhalo_id"], [*papers["subhalo_id"], companion["subhalo_id"]])],
        settings.sample_path,
    )


def unlink(path: Path) -> Path:
    """Give a linked file a content of its own."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    return path


def particles_of(settings: Settings, subhalo_id: int, part: str) -> list[tuple[Path, slice]]:
    """Files and rows in which a subhalo's particles of one type lie."""
    output = settings.universe_dir / "output"
    number = PART[part]
    with h5py.File(settings.universe_dir / "postprocessing" / "offsets" / "offsets_099.hdf5") as handle:
        begin = int(handle["Subhalo/SnapByType"][subhalo_id, number])
        starts = handle["FileOffsets/SnapByType"][:, number]
    row = FilesUniverse(output, simulation="embedded").subhalos(["SubhaloLenType"], np.array([subhalo_id]))
    end = begin + int(row["SubhaloLenType"][0, number])
    found = []
    for j, start in enumerate(starts):
        path = output / "snapdir_099" / f"snap_099.{j}.hdf5"
        with h5py.File(path) as handle:
            here = int(handle["Header"].attrs["NumPart_ThisFile"][number])
        low, high = max(begin, start), min(end, start + here)
        if low < high:
            found.append((path, slice(int(low - start), int(high - start))))
    return found


def overwrite(settings: Settings, subhalo_id: int, part: str, field: str, value: float) -> None:
    """Set a field of all of a subhalo's particles of one type."""
    for path, rows in particles_of(settings, subhalo_id, part):
        with h5py.File(unlink(path), "r+") as handle:
            handle[f"PartType{PART[part]}/{field}"][rows] = value


def remove_gas(settings: Settings, subhalo_id: int, group_id: int) -> None:
    """Let the catalogue say that a subhalo and its group have no gas."""
    for kind, row in (("Subhalo", subhalo_id), ("Group", group_id)):
        for path in sorted((settings.universe_dir / "output" / "groups_099").glob("*.hdf5")):
            with h5py.File(path) as handle:
                name = f"{kind}/{kind}LenType"
                here = len(handle[name]) if name in handle else 0
            if row < here:
                with h5py.File(unlink(path), "r+") as handle:
                    lengths = handle[name][()]
                    lengths[row, 0] = 0
                    handle[name][...] = lengths
                break
            row -= here


def content(path: Path) -> dict[str, bytes]:
    """Every array and every attribute of a file."""
    found = {}

    def visit(name, item) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (
                (item.dtype.str + str(item[()].tolist())).encode() if item.dtype == object else item[()].tobytes()
            )
        found.update({f"{name}@{key}": str(value).encode() for key, value in item.attrs.items()})

    with h5py.File(path) as handle:
        handle.visititems(visit)
        found.update({f"@{key}": str(value).encode() for key, value in handle.attrs.items()})
    return found


def main(build_root: str, workers: int) -> None:
    """Build the data set with one galaxy per block; a process to kill."""
    settings = Settings(profile="smoke", build_root=build_root)
    build(settings, workers=workers, block_size=1)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main(sys.argv[1], int(sys.argv[2]))
