"""The registry of data sources: where galaxies can come from, one row a source.

To add a source, write a module with a subclass of `dmlib.universe.base.Universe` and a function that opens it, and
add a row here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

#: Names of simulations that are recognised in the path of a tree, such as ``TNG50-1/output``.
_RUN = re.compile(r"(TNG(50|100|300)-[1234]|Illustris-[123])(-Dark)?")

#: Name of a suite -> side of its box [Mpc/h], particles along it in each run, and the kind of physics in internal names
#: (Nelson et al. 2019, table 1; Nelson et al. 2015, table 1).
SUITES: dict[str, tuple[int, tuple[int, ...], str]] = {
    "TNG50": (35, (2160, 1080, 540, 270), "TNG"),
    "TNG100": (75, (1820, 910, 455), "TNG"),
    "TNG300": (205, (2500, 1250, 625), "TNG"),
    "Illustris": (75, (1820, 910, 455), "FP"),
}

#: Internal names of the runs, by which files and folders may call them.
_INTERNAL = {
    f"L{box}n{n}{kind}{dark}": f"{name}-{i}{'-Dark' if dark else ''}"
    for name, (box, sides, kind) in SUITES.items()
    for i, n in enumerate(sides, 1)
    for dark in ("", "_DM")
}


@dataclass(frozen=True)
class Source:
    """One data source.

    Parameters
    ----------
    name : str
        Value of the setting ``universe``.
    opener : str
        ``"module:function"``; the function takes the settings and returns a `dmlib.universe.base.Universe`. Only
        results made from this source depend on the module's code.
    note : str
        Added to the simulation's name in captions, for example ``" (web API)"``.
    needs_base_path : bool
        Whether the setting ``base_path`` is required; otherwise it is refused.
    written_here : bool
        Whether the universe is a product of the pipeline.
    state : str
        Function of the same module that takes the settings and returns what can be known of the content without
        reading it, name -> fingerprint, by which `dmlib status` notices a change. Empty for a product of the pipeline.
    """

    name: str
    opener: str
    note: str = ""
    needs_base_path: bool = False
    written_here: bool = False
    state: str = ""

    @property
    def module(self) -> str:
        """Module of the opener."""
        return self.opener.partition(":")[0]


_ALL = (
    Source("embedded", "dmlib.universe.files:open_embedded", written_here=True),
    Source("files", "dmlib.universe.files:open_tree", state="tree_state", needs_base_path=True),
    Source("api", "dmlib.universe.api.universe:open_api", state="server_state", note=" (web API)"),
)
SOURCES: dict[str, Source] = {source.name: source for source in _ALL}


def simulation_label(simulation: str, snapshot: int) -> str:
    """How captions name a simulation: ``TNG100-1, snapshot 99``; the embedded universe says that it is not TNG."""
    if simulation.startswith("embedded"):
        return "embedded universe (written by mocktng; not TNG)"
    return f"{simulation}, snapshot {snapshot}"


def release_name(name: str) -> str:
    """Name under which a run was released: ``TNG100-1`` for its internal name ``L75n1820TNG``."""
    return _INTERNAL.get(name, name)


def simulation_of_path(base_path: str) -> str | None:
    """Name of the simulation whose ``output`` folder this is, from the folder above it; None if it is unknown."""
    name = release_name(Path(base_path).expanduser().absolute().parent.name if base_path else "")
    return name if _RUN.fullmatch(name) else None


def call(target: str, *arguments: Any) -> Any:
    """Call ``"module:function"``."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)(*arguments)
