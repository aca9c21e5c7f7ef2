"""What the server says of a simulation and a snapshot; asked once, kept, and confirmed before more is downloaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import FetchError, UniverseError
from ...files import write_text
from ...manifest.download import Missing
from . import cutouts
from .cache import Cache
from .client import Client

if TYPE_CHECKING:
    from .columns import Columns
    from .universe import ApiUniverse

FILE = "facts.json"

#: Facts that tell one simulation, or one snapshot of it, from another.
TELLING = ("name", "number", "num_groups_fof", "num_groups_subfind", "num_gas", "num_dm", "num_stars", "boxsize")

_confirmed: set[tuple[str, str, int]] = set()


def ask(client: Client, simulation: str, snapshot: int) -> dict[str, Any]:
    """The simulation's and the snapshot's facts in one dictionary, as the server gives them.

    Raises
    ------
    FetchError
    UniverseError
        When there is no such simulation or snapshot, or the server calls it otherwise.
    """
    try:
        of_simulation = client.json(f"{simulation}/", label=simulation)
    except Missing as error:
        known = [row["name"] for row in client.json("", label="the list of simulations").get("simulations", ())]
        raise UniverseError(
            f"{client.host} has no simulation '{simulation}': it has {', '.join(known[:20])}."
        ) from error
    name = of_simulation.get("name", simulation)
    if name != simulation:
        raise UniverseError(f"{client.host} serves '{name}', not '{simulation}': set --simulation {name} to use it.")
    try:
        of_snapshot = client.json(f"{simulation}/snapshots/{snapshot}/", label=f"snapshot {snapshot} of {simulation}")
    except Missing as error:
        raise UniverseError(f"{client.host} has no snapshot {snapshot} of {simulation}: choose another.") from error
    return of_simulation | of_snapshot | {"name": name}


def load(client: Client, cache: Cache, simulation: str, snapshot: int) -> dict[str, Any]:
    """The facts, from the cache or from the server."""
    path = cache.path(FILE)
    if path.is_file():
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            path.unlink()
    found = ask(client, simulation, snapshot)
    _confirmed.add((client.url, simulation, snapshot))
    write_text(path, json.dumps(found, indent=1) + "\n")
    return found


def confirm(universe: ApiUniverse | Columns) -> None:
    """Once a process, before anything is added to the cache: does the server still serve what is in it?

    Raises
    ------
    UniverseError
        When it serves another simulation under the same name.
    """
    client = universe.client
    key = (client.url, universe.simulation, universe.snapshot)
    if key in _confirmed:
        return
    now = ask(client, universe.simulation, universe.snapshot)
    kept = load(client, universe.cache, universe.simulation, universe.snapshot)
    changed = [name for name in TELLING if now.get(name) != kept.get(name)]
    if changed:
        raise UniverseError(
            f"{client.host} serves another {universe.simulation} than the one in the cache (its {changed[0]} is "
            f"{now.get(changed[0])}, was {kept.get(changed[0])}): remove the folder {universe.cache.folder}."
        )
    _confirmed.add(key)


def header(universe: ApiUniverse) -> dict[str, Any]:
    """The header of the snapshot, to the last digit: from the smallest cutout that there is.

    The replies in JSON are rounded; a header is not.
    """
    path = universe.cache.path("header.json")
    if path.is_file():
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return kept | {"MassTable": np.array(kept["MassTable"])}
        except (ValueError, KeyError):
            path.unlink()
    confirm(universe)
    found = cutouts.header_of(_small_cutout(universe))
    name = str(found.get("SimulationName", ""))
    wanted = ("Time", "Redshift", "HubbleParam", "BoxSize", "Omega0", "OmegaLambda", "MassTable")
    absent = [key for key in wanted if key not in found]
    if absent:
        raise UniverseError(f"cutouts of {universe.simulation} have no {absent[0]} in their header.")
    kept = {key: np.asarray(found[key]).tolist() for key in wanted}
    if name.startswith("embedded"):
        # The runs of TNG have longer names here (L75n1820TNG); a universe that dmlib wrote is to be known by its own.
        kept["SimulationName"] = name
    write_text(path, json.dumps(kept, indent=1) + "\n")
    return kept | {"MassTable": np.array(kept["MassTable"])}


def _small_cutout(universe: ApiUniverse):
    last = int(universe.facts["num_groups_subfind"]) - 1
    # The last subhaloes have the fewest particles; a fragment among them may lack dark matter.
    tries = [*((number, "dm", "Coordinates") for number in range(last, max(last - 3, -1), -1)), (0, "bh", "Masses")]
    failure: FetchError | None = None
    for number, kind, field in tries:
        fields = {kind: (field,)}
        about = f"subhalo {number}"
        name = cutouts.file_name(f"header {number}", fields)
        target = universe.cache.path(name)
        try:
            universe.client.file(
                f"{universe.simulation}/snapshots/{universe.snapshot}/subhalos/{number}/cutout.hdf5",
                target,
                query=cutouts.query(fields),
                label=about,
                check=lambda path, fields=fields, about=about: cutouts.check(
                    path, fields, None, about, universe.snapshot
                ),
                received=lambda n_bytes: None,
            )
            return target
        except FetchError as error:
            failure = error
            if not isinstance(error, Missing):
                raise
    raise UniverseError(f"no subhalo of {universe.simulation} gives a cutout ({failure})") from failure
