"""The options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from .sources import SOURCES

#: Where galaxies come from.
UniverseChoice = StrEnum("UniverseChoice", {name: name for name in SOURCES})


class ProfileChoice(StrEnum):
    smoke = "smoke"
    quick = "quick"
    paper = "paper"


class PhysicsChoice(StrEnum):
    fiducial = "fiducial"
    alternative = "alternative"


class CentralChoice(StrEnum):
    paper = "paper"
    true = "true"


class ApertureChoice(StrEnum):
    all = "all"
    two_half = "2rhalf"


class ImagesChoice(StrEnum):
    none = "none"
    each = "each"
    archive = "archive"


UniverseOption = Annotated[
    UniverseChoice,
    typer.Option("--universe", help="Where galaxies come from: written here, a TNG tree on disk, the TNG web API."),
]
ProfileOption = Annotated[
    ProfileChoice,
    typer.Option("--profile", help="How much is computed: smoke shows that all runs, quick is the book, paper is all."),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Root of every random number.")]
BasePathOption = Annotated[
    str, typer.Option("--base-path", help="For --universe files: the simulation's output folder, .../TNG100-1/output.")
]
SimulationOption = Annotated[
    str,
    typer.Option(
        "--simulation", envvar="DMLIB_SIMULATION", help="Name of the simulation, for --universe files or api."
    ),
]
SnapshotOption = Annotated[int, typer.Option("--snapshot", envvar="DMLIB_SNAPSHOT", help="Number of the snapshot.")]
SampleOption = Annotated[
    int,
    typer.Option(
        "--sample",
        min=0,
        envvar="DMLIB_SAMPLE",
        help="Only so many galaxies of the selection, for a first taste; in a build folder of its own. 0: all.",
    ),
]
ParametersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        "-p",
        metavar="NAME=VALUE",
        help="A parameter of the notebooks, or of one: CHAPTER.NAME=VALUE. May be repeated.",
    ),
]
BookOption = Annotated[bool, typer.Option("--book/--no-book", help="Build the pages at the end.")]
