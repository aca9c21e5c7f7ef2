"""Where things lie, under which names they are recorded, and whether outputs are what was written."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..code import PACKAGES, package_root
from ..errors import StepError
from ..files import sha256
from ..settings import Settings, repository_root

#: Prefix of what lies beside the build folder where outputs are outside of the checkout: the pages.
_ELSEWHERE = "DMLIB_BUILD"


@dataclass(frozen=True)
class Places:
    """Where things lie, and the names under which they are recorded: relative, so that a checkout can be moved.

    Parameters
    ----------
    root : Path
        The checkout.
    build : Path
        This universe's and profile's outputs.
    """

    root: Path
    build: Path

    @classmethod
    def of(cls, settings: Settings) -> Places:
        """Places of these settings."""
        return cls(repository_root(), settings.build)

    def key(self, path: Path) -> str:
        """Name of a file: ``sample.ecsv``, ``dmlib/galaxy.py``, ``notebooks/01_introduction.py``, ..."""
        packages = [(package_root(package), package) for package in PACKAGES]
        for folder, prefix in ((self.build, "build"), *packages, (self.root, ""), (self.build.parent, _ELSEWHERE)):
            if folder is not None and path.is_relative_to(folder):
                return (Path(prefix) / path.relative_to(folder)).as_posix()
        return path.name

    def path(self, key: str) -> Path:
        """File of a name that `key` gave."""
        first, _, rest = key.partition("/")
        if first in ("build", _ELSEWHERE):
            return (self.build if first == "build" else self.build.parent) / rest
        package = package_root(first) if first in PACKAGES else None
        return package / rest if package else self.root / key

    def shown(self, key: str) -> str:
        """Name as a reader wants it: outputs relative to the build folder."""
        return key.removeprefix("build/")

    def state(self, step: str) -> Path:
        """Record of a step."""
        return self.build / ".state" / f"{step}.json"


def fingerprints(written: Iterable[Path], places: Places) -> dict[str, list]:
    """Name -> [size, time of change, sha256] of all files written, those inside folders too."""
    files: set[Path] = set()
    for path in written:
        if path.is_dir():
            files.update(item for item in path.rglob("*") if item.is_file() and not item.name.startswith("."))
        elif path.exists():
            files.add(path)
        else:
            raise StepError(f"{places.shown(places.key(path))} should have been written and is not there")
    prints = {}
    for path in sorted(files):
        stat = path.stat()
        prints[places.key(path)] = [stat.st_size, stat.st_mtime_ns, sha256(path)]
    return prints


def faults(outputs: dict[str, list], places: Places) -> list[str]:
    """Outputs that are gone, or whose content is not what the step wrote."""
    found = []
    for key, (size, changed, digest) in outputs.items():
        path = places.path(key)
        try:
            stat = path.stat()
        except FileNotFoundError:
            found.append(f"{places.shown(key)} is missing")
            continue
        if stat.st_size != size or (stat.st_mtime_ns != changed and sha256(path) != digest):
            found.append(f"{places.shown(key)} is not as it was written")
    if len(found) > 3:
        found = [*found[:2], f"and {len(found) - 2} more files"]
    return found


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def without_folders(text: str, settings: Settings) -> str:
    """A text without the names of this machine's folders: outputs are shown to others, who have other folders."""
    folders = [
        (settings.base_path, "BASE_PATH"),
        (str(settings.build.parent), "build"),
        (str(repository_root()), "."),
        (sys.prefix, "PYTHON"),
        (str(Path.home()), "~"),
    ]
    for folder, name in folders:
        # Not the root folder, which some containers have as home.
        if len(folder) > 1:
            text = re.sub(rf"{re.escape(folder)}(?=$|[/\\\s'\":,;)])", name, text)
    return text
