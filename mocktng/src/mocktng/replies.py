"""JSON replies of the server: their keys, and the rounding of their numbers.

Keys and order are those of real replies of the TNG web API, without merger trees and pictures, which are not served.
Catalogue values are in catalogue units, rounded to six significant digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np

from .fields import SUBHALO_FIELDS
from .served_tree import API_TYPES, BadRequest, NoSuchObject, ServedTree

#: Fields of a subhalo in the order of a reply, without the prefix Subhalo.
_FIELDS = (
    *("BHMdot", "CM", *(f"GasMetallicity{part}" for part in ("", "HalfRad", "MaxRad", "Sfr", "SfrWeighted")), "Pos"),
    *("HalfmassRad", "Len", "Mass", *(f"MassIn{aperture}" for aperture in ("HalfRad", "MaxRad", "Rad"))),
    *("SFR", *(f"SFRin{aperture}" for aperture in ("HalfRad", "MaxRad", "Rad")), "Spin"),
    *(f"StarMetallicity{part}" for part in ("", "HalfRad", "MaxRad")),
    *("StellarPhotometrics", "StellarPhotometricsMassInRad", "StellarPhotometricsRad"),
    *("Vel", "VelDisp", "Vmax", "VmaxRad", "WindMass", "Parent", "GrNr", "Flag"),
)


def _keys(name: str) -> list[tuple[str, str, int | None]]:
    """Keys of one field: its name in lower case, with a suffix for each column of a vector."""
    key, field = "subhaloflag" if name == "Flag" else name.lower(), f"Subhalo{name}"
    if name in ("CM", "Pos", "Spin", "Vel", "StellarPhotometrics"):
        columns = "ubvkgriz" if name == "StellarPhotometrics" else "xyz"
        return [(f"{key}_{column}", field, k) for k, column in enumerate(columns)]
    typed = API_TYPES.items() if f"{field}Type" in SUBHALO_FIELDS else ()
    return [(key, field, None), *((f"{key}_{kind}", f"{field}Type", k) for kind, k in typed)]


#: Reply for a subhalo: key, field of the catalogue, column of the field.
SUBHALO_KEYS = tuple(row for name in _FIELDS for row in _keys(name))

_OPERATORS = {"": np.equal, "gt": np.greater, "gte": np.greater_equal, "lt": np.less, "lte": np.less_equal}


def rounded(value: Any) -> Any:
    """Round a number as the API does: floats to six significant digits."""
    if isinstance(value, (int, np.integer, np.bool_)):
        return int(value)
    return float(f"{float(value):.6g}")


class Replies:
    """The replies for one tree.

    Parameters
    ----------
    tree : ServedTree
    name : str
        Name of the simulation.
    """

    def __init__(self, tree: ServedTree, name: str):
        self.tree, self.name = tree, name

    # -- the simulation ------------------------------------------------------------------------------------------

    def simulations(self, base: str, names: Sequence[str]) -> dict:
        """Reply to ``/api/``: the simulation under each name at which it answers."""
        return {"simulations": [{"name": name, "num_snapshots": 100, "url": f"{base}{name}/"} for name in names]}

    def simulation(self, base: str) -> dict:
        """Reply to ``/api/SIM/``."""
        catalogue, snapshot = self.tree.catalogue_header, self.tree.snapshot_header
        url = f"{base}{self.name}/"
        return {
            "name": self.name,
            "num_snapshots": 100,
            "boxsize": float(catalogue["BoxSize"]),
            "hubble": float(catalogue["HubbleParam"]),
            "omega_0": float(catalogue["Omega0"]),
            "omega_L": float(catalogue["OmegaLambda"]),
            "omega_B": float(snapshot.get("OmegaBaryon", 0.0486)),
            "mass_dm": float(np.asarray(snapshot["MassTable"])[1]),
            "num_dm": int(self.tree.totals[1]),
            "num_files_snapshot": int(snapshot["NumFilesPerSnapshot"]),
            "num_files_groupcat": int(catalogue["NumFiles"]),
            "snapshots": f"{url}snapshots/",
            "files": self.files(base)["files"],
            "url": url,
        }

    def files(self, base: str) -> dict:
        """Reply to ``/api/SIM/files/``: what can be downloaded whole."""
        number, url = self.tree.snapshot, f"{base}{self.name}/files/"
        stored = (name for name, path in self.tree.single_files.items() if path.is_file())
        names = [f"groupcat-{number}/", f"snapshot-{number}/", *stored]
        return {"files": {name.rstrip("/"): url + name for name in names}}

    def chunks(self, name: str, base: str) -> dict:
        """Reply to ``/files/groupcat-N/`` and ``/files/snapshot-N/``: the addresses of the chunks."""
        header = self.tree.catalogue_header if name.startswith("groupcat") else self.tree.snapshot_header
        count = int(header["NumFiles" if name.startswith("groupcat") else "NumFilesPerSnapshot"])
        return {"files": [f"{base}{self.name}/files/{name}.{i}.hdf5" for i in range(count)]}

    def snapshots(self, base: str) -> list[dict]:
        """Reply to ``/api/SIM/snapshots/``: a list without pages."""
        whole = self.snapshot(base)
        return [{key: whole[key] for key in ("number", "redshift", "num_groups_subfind", "url")}]

    def snapshot(self, base: str) -> dict:
        """Reply to ``/api/SIM/snapshots/N/``."""
        url = f"{base}{self.name}/snapshots/{self.tree.snapshot}/"
        gas, dm, _, trmc, stars, bhs = (int(n) for n in self.tree.totals)
        return {
            "number": self.tree.snapshot,
            "redshift": float(self.tree.catalogue_header["Redshift"]),
            "num_gas": gas,
            "num_dm": dm,
            "num_trmc": trmc,
            "num_stars": stars,
            "num_bhs": bhs,
            "num_groups_fof": self.tree.n_groups,
            "num_groups_subfind": self.tree.n_subhalos,
            "subhalos": f"{url}subhalos/",
            "halos": f"{url}halos/",
            "url": url,
        }

    # -- subhaloes and haloes --------------------------------------------------------------------------------------

    def values(self, key: str) -> np.ndarray | None:
        """One scalar of all subhaloes, by its key; None where the tree lacks it."""
        tree = self.tree
        if key == "id":
            return np.arange(tree.n_subhalos)
        if key == "primary_flag":
            return self.primary_flags()
        if key == "mass_log_msun":
            mass = self.values("mass")
            if mass is None and "SubhaloMassType" in tree.fields["Subhalo"]:
                mass = tree.column("Subhalo", "SubhaloMassType").sum(axis=1)
            if mass is None:
                return None
            with np.errstate(divide="ignore"):
                return np.log10(mass.astype(float) * 1e10 / float(tree.catalogue_header["HubbleParam"]))
        for name, field, column in SUBHALO_KEYS:
            if name == key and field in tree.fields["Subhalo"]:
                values = tree.column("Subhalo", field)
                values = values if column is None else values[:, column]
                return values.astype(int) if values.dtype == bool else values
        return None

    def primary_flags(self) -> np.ndarray:
        """1 for the central of each group, 0 for other subhaloes."""
        first = self.tree.column("Group", "GroupFirstSub").astype(np.int32)
        return (first[self.tree.column("Subhalo", "SubhaloGrNr")] == np.arange(self.tree.n_subhalos)).astype(int)

    def subhalo(self, number: int, base: str) -> dict:
        """Reply to ``/subhalos/ID/``."""
        if not 0 <= number < self.tree.n_subhalos:
            raise NoSuchObject(f"no subhalo {number}")
        record: dict[str, Any] = {"snap": self.tree.snapshot, "id": number}
        tail: dict[str, Any] = {}
        for key, _, _ in SUBHALO_KEYS:
            values = self.values(key)
            if values is not None:
                (tail if key in ("parent", "grnr", "subhaloflag") else record)[key] = rounded(values[number])
        record |= {"prog_snap": -1, "prog_sfid": -1, "desc_snap": -1, "desc_sfid": -1}
        group = tail.get("grnr", -1)
        flag = {"subhaloflag": tail.pop("subhaloflag")} if "subhaloflag" in tail else {}
        record |= tail | {"primary_flag": int(self.primary_flags()[number])} | flag
        logarithm = self.values("mass_log_msun")
        if logarithm is not None and math.isfinite(logarithm[number]):
            record["mass_log_msun"] = float(logarithm[number])
        at = f"{base}{self.name}/snapshots/{self.tree.snapshot}/"
        url, halo = f"{at}subhalos/{number}/", f"{at}halos/{group}/"
        supplementary = {}
        if (self.tree.skirt_images / f"broadband_{number}.fits").is_file():
            supplementary = {"skirt_images": {"fits_sdss": f"{url}skirt/broadband_sdss.fits"}}
        return record | {
            "related": {"sublink_progenitor": None, "sublink_descendant": None, "parent_halo": halo},
            "cutouts": {"subhalo": f"{url}cutout.hdf5", "parent_halo": f"{halo}cutout.hdf5"},
            "trees": {},
            "supplementary_data": supplementary,
            "vis": {},
            "meta": {"url": url, "snapshot": at, "simulation": f"{base}{self.name}/", "info": f"{url}info.json"},
        }

    def halo(self, number: int, base: str) -> dict:
        """Reply to ``/halos/ID/``."""
        if not 0 <= number < self.tree.n_groups:
            raise NoSuchObject(f"no halo {number}")
        at = f"{base}{self.name}/snapshots/{self.tree.snapshot}/"
        members = np.flatnonzero(self.tree.column("Subhalo", "SubhaloGrNr") == number)
        url = f"{at}halos/{number}/"
        return {
            "snap": self.tree.snapshot,
            "id": number,
            "child_subhalos": {
                "count": len(members),
                "results": [{"id": int(i), "url": f"{at}subhalos/{i}/"} for i in members],
            },
            "cutouts": {"halo": f"{url}cutout.hdf5"},
            "meta": {"url": url, "snapshot": at, "simulation": f"{base}{self.name}/", "info": f"{url}info.json"},
        }

    def info(self, kind: str, number: int) -> dict:
        """Reply to ``info.json``: the catalogue row under its names on disk."""
        table, total = ("Group", self.tree.n_groups) if kind == "halos" else ("Subhalo", self.tree.n_subhalos)
        if not 0 <= number < total:
            raise NoSuchObject(f"no {kind} {number}")
        row = {"SimulationName": self.name, "SnapshotNumber": self.tree.snapshot, "InfoType": table, "InfoID": number}
        for field in sorted(self.tree.fields[table]):
            value = np.asarray(self.tree.column(table, field)[number])
            row[field] = value.tolist() if value.dtype != bool else int(value)
        return row

    def subhalos(self, query: dict[str, str], base: str) -> dict:
        """Reply to ``/subhalos/?...``: one page of the subhaloes that pass the filters.

        Raises
        ------
        BadRequest
            For a parameter that is not a filter, or a value that is not a number.
        """
        query = dict(query)
        limit, offset = _page_of(query)
        order = query.pop("order_by", "")
        keep = np.ones(self.tree.n_subhalos, dtype=bool)
        for parameter, text in query.items():
            key, _, operator = parameter.partition("__")
            values = self.values(key)
            if values is None or operator not in _OPERATORS:
                raise BadRequest(f"unknown parameter {parameter}")
            try:
                keep &= _OPERATORS[operator](values, float(text))
            except ValueError:
                raise BadRequest(f"{parameter} is not a number") from None
        ids = np.flatnonzero(keep)
        if order:
            values = self.values(order.lstrip("-"))
            if values is None:
                raise BadRequest(f"cannot order by {order}")
            by = values[ids].astype(float)
            ids = ids[np.argsort(-by if order.startswith("-") else by, kind="stable")]
        sfr, mass = self.values("sfr"), self.values("mass_log_msun")
        if sfr is None or mass is None:
            raise NoSuchObject("the catalogue has no SubhaloSFR or no masses")
        page = self._page("subhalos", ids, limit, offset, query | ({"order_by": order} if order else {}), base)
        for row in page["results"]:
            number, url = row["id"], row.pop("url")
            log_mass = float(mass[number]) if math.isfinite(mass[number]) else None
            row |= {"sfr": rounded(sfr[number]), "mass_log_msun": log_mass, "url": url}
        return page

    def halos(self, query: dict[str, str], base: str) -> dict:
        """Reply to ``/halos/?limit=&offset=``: one page of the groups."""
        query = dict(query)
        limit, offset = _page_of(query)
        if query:
            raise BadRequest(f"unknown parameter {next(iter(query))}")
        return self._page("halos", np.arange(self.tree.n_groups), limit, offset, query, base)

    def _page(self, kind: str, ids: np.ndarray, limit: int, offset: int, query: dict[str, str], base: str) -> dict:
        at = f"{base}{self.name}/snapshots/{self.tree.snapshot}/{kind}/"

        def link(start: int) -> str:
            return f"{at}?{urlencode(query | {'limit': limit, 'offset': start})}"

        return {
            "count": len(ids),
            "next": link(offset + limit) if offset + limit < len(ids) else None,
            "previous": link(max(offset - limit, 0)) if offset > 0 else None,
            "results": [{"id": int(i), "url": f"{at}{i}/"} for i in ids[offset : offset + limit]],
        }


def _page_of(query: dict[str, str]) -> tuple[int, int]:
    """Limit and offset of a page, taken out of a query."""
    try:
        limit, offset = int(query.pop("limit", 100)), int(query.pop("offset", 0))
    except ValueError:
        limit = offset = -1
    if limit < 1 or offset < 0:
        raise BadRequest("limit is a whole number of at least 1, and offset of at least 0")
    return limit, offset
