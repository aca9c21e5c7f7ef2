"""Which universe, at which profile, with which seed; and where everything lies on disk.

Physics has no place here: a profile says how many galaxies and how coarse, not what they are like.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .environment import check_checkout, outputs_root, repository_root
from .errors import DmlibError
from .sources import SOURCES, Source, simulation_label, simulation_of_path

ProfileName = Literal["smoke", "quick", "paper"]
PhysicsName = Literal["fiducial", "alternative"]

#: Settings that notebooks do not take as parameters: their defaults come from the environment, and a run hands them on
#: to the notebooks that it executes.
ENVIRONMENT = {
    "simulation": "DMLIB_SIMULATION",
    "snapshot": "DMLIB_SNAPSHOT",
    "sample": "DMLIB_SAMPLE",
    "selection": "DMLIB_SELECTION",
}

#: Radii of the target profile [kpc]: 20 values from 1 to 100, equal steps in log R (authors' scripts).
RADII_KPC = np.geomspace(1.0, 100.0, 20)
RADII_KPC.setflags(write=False)


@dataclass(frozen=True)
class Profile:
    """How much is computed.

    Parameters
    ----------
    name : str
    n_galaxies : int
        Galaxies of the embedded universe that pass the paper's selection (a target, met within a few per cent).
    m_dm : float
        Mass of a dark-matter particle of the embedded universe [Msun].
    m_baryon : float
        Target mass of a gas cell and of a star particle of the embedded universe [Msun].
    pixels : int
        Pixels a side of images and HI maps.
    field_of_view : float
        Side of images and HI maps [kpc]; argued in `dmlib.observe.sky`.
    input_pixels : int
        Pixels a side, in the middle of images and maps, that networks see: 96 of 128 kpc, which costs less, with
        validation errors that were measured (``records/training_choices.json``); ``paper`` keeps the authors' number of
        pixels.
    """

    name: str
    n_galaxies: int
    m_dm: float
    m_baryon: float
    pixels: int = 64
    field_of_view: float = 128.0
    input_pixels: int = 48


#: `quick` has the particle masses of TNG100-2, `paper` those of TNG100-1; `smoke` only shows that all runs.
PROFILES: dict[str, Profile] = {
    "smoke": Profile("smoke", n_galaxies=40, m_dm=2.4e8, m_baryon=4.5e7),
    "quick": Profile("quick", n_galaxies=700, m_dm=5.97e7, m_baryon=1.12e7),
    "paper": Profile("paper", n_galaxies=2000, m_dm=7.46e6, m_baryon=1.39e6, pixels=128, input_pixels=128),
}


class Criteria(BaseModel):
    """What a galaxy must be to enter the sample; the defaults are the paper's table.

    Parameters
    ----------
    m_star_min, m_star_max : float
        Limits of the stellar mass, both included [Msun, physical, no h].
    sfr_min : float
        Least star formation rate of all bound gas, included [Msun/yr].
    centrals : {"paper", "true", "any"}
        ``paper``: SubhaloParent = 0, as the paper's table says. ``true``: the first subhalo of its group
        (GroupFirstSub). ``any``: satellites too.
    aperture : {"all", "2rhalf"}
        Stellar mass of all bound stars, SubhaloMassType[:, 4], or within twice the stellar half-mass radius,
        SubhaloMassInRadType[:, 4]. The paper does not say which.
    cosmological : bool
        Keep only subhaloes of cosmological origin, SubhaloFlag = 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    m_star_min: float = Field(1e10, gt=0)
    m_star_max: float = Field(1e12, gt=0)
    sfr_min: float = Field(0.1, ge=0)
    centrals: Literal["paper", "true", "any"] = "paper"
    aperture: Literal["all", "2rhalf"] = "all"
    cosmological: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> Criteria:
        if self.m_star_min >= self.m_star_max:
            raise ValueError(f"m_star_min {self.m_star_min:g} is not below m_star_max {self.m_star_max:g}")
        return self


def _from_environment(name: str, default: Any) -> Any:
    return os.environ.get(ENVIRONMENT[name]) or default


def _selection() -> Any:
    given = _from_environment("selection", "{}")
    try:
        return json.loads(given)
    except ValueError as error:
        mend = """write it as JSON, for example '{"m_star_min": 2e10}', or unset it."""
        raise DmlibError(f"{ENVIRONMENT['selection']} is '{given}': {mend}") from error


def _output(name: str, doc: str) -> property:
    """Property of the settings: an output's place in the build folder."""
    return property(lambda settings: settings.build / name, doc=doc)


class Settings(BaseModel):
    """The choices that every step shares. Immutable; an unknown name is an error.

    Parameters
    ----------
    universe : {"embedded", "files", "api"}
        Where galaxies come from, see `dmlib.sources`: written here, a TNG tree on disk, or the TNG web API.
    profile : {"smoke", "quick", "paper"}
        How much is computed, see `PROFILES`.
    seed : int
        Root of every random number.
    base_path : str
        For ``universe="files"``: the simulation's ``output`` folder, as illustris_python wants it.
    simulation, snapshot : str, int
        Name of the simulation and number of the snapshot (paper: TNG100-1, 99). Defaults: ``$DMLIB_SIMULATION``, else
        the folder above `base_path` where that is the name of a TNG run, else the paper's; ``$DMLIB_SNAPSHOT``.
    sample : int
        Use only this many galaxies of the selection, for a quick trial (see `dmlib.sample.subsample`); 0 for all of
        them. Default ``$DMLIB_SAMPLE``, else 0. The outputs of a subsample have a folder of their own.
    selection : Criteria
        Which galaxies enter the sample; default ``$DMLIB_SELECTION`` (JSON), else the paper's table.
    physics : {"fiducial", "alternative"}
        Which galaxy physics the embedded universe is written with.
    build_root : str
        Folder of all outputs; default ``$DMLIB_BUILD``, else ``build`` in the repository.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    universe: str = "embedded"
    profile: ProfileName = "quick"
    seed: int = Field(1, ge=0)
    base_path: str = ""
    simulation: str = "TNG100-1"
    snapshot: int = Field(default_factory=lambda: _from_environment("snapshot", 99), validate_default=True)
    sample: int = Field(default_factory=lambda: _from_environment("sample", 0), validate_default=True, ge=0)
    selection: Criteria = Field(default_factory=_selection, validate_default=True)
    physics: PhysicsName = "fiducial"
    build_root: str = ""

    @model_validator(mode="before")
    @classmethod
    def _code_of_this_checkout(cls, given: Any) -> Any:
        check_checkout()  # a notebook may be opened with the environment of another
        return given

    @model_validator(mode="before")
    @classmethod
    def _name_of_the_simulation(cls, given: Any) -> Any:
        # The environment names a simulation of files or of the web API; the embedded universe beside it keeps its name.
        if not isinstance(given, dict) or given.get("universe", "embedded") == "embedded" or "simulation" in given:
            return given
        named = simulation_of_path(given.get("base_path", ""))
        return given | {"simulation": _from_environment("simulation", named or "TNG100-1")}

    @field_validator("universe")
    @classmethod
    def _known_source(cls, value: str) -> str:
        if value not in SOURCES:
            raise ValueError(f"there is no universe '{value}': choose {', '.join(SOURCES)}")
        return value

    @field_validator("base_path", "build_root")
    @classmethod
    def _expand(cls, value: str) -> str:
        # illustris_python does not expand "~", and a relative path would change meaning inside a notebook.
        # Symbolic links stay: TNG's postprocessing folder lies beside `output` as the user sees it.
        return os.path.abspath(Path(value).expanduser()) if value else ""

    @model_validator(mode="after")
    def _base_path_where_it_belongs(self) -> Settings:
        source = self.source
        if source.needs_base_path and not self.base_path:
            raise ValueError(f"universe '{self.universe}' needs base_path, the simulation's output folder (…/output)")
        if self.base_path and not source.needs_base_path:
            raise ValueError(f"base_path is for universe 'files', not '{self.universe}'")
        return self

    def environment_value(self, name: str) -> str:
        """A setting of `ENVIRONMENT` as its variable holds it."""
        value = getattr(self, name)
        return value.model_dump_json() if isinstance(value, BaseModel) else str(value)

    @property
    def sizes(self) -> Profile:
        """The profile's numbers."""
        return PROFILES[self.profile]

    @property
    def build(self) -> Path:
        """Folder of this universe's and profile's outputs, ``build/<universe>-<profile>``."""
        name = f"{self.universe}-{self.profile}"
        if self.physics != "fiducial":
            name += f"-{self.physics}"
        if self.sample:
            name += f"-sample{self.sample}"
        return (Path(self.build_root).resolve() if self.build_root else outputs_root()) / name

    @property
    def pages_dir(self) -> Path:
        """Folder of the pages: ``book/_build/html`` of the checkout; ``html`` among outputs that lie elsewhere."""
        root, pages = repository_root(), self.build.parent / "html"
        return root / "book" / "_build" / "html" if self.build.parent == root / "build" else pages

    @property
    def universe_dir(self) -> Path:
        """Folder of the embedded universe; its tree follows the TNG release. A subsample reads the whole one."""
        return self.whole.build / "universe"

    @property
    def whole(self) -> Settings:
        """The same settings with all galaxies of the selection."""
        return self.model_copy(update={"sample": 0}) if self.sample else self

    sample_path: ClassVar[property] = _output("sample.ecsv", "The selection table.")
    targets_path: ClassVar[property] = _output("targets.hdf5", "Enclosed-mass profiles of the sample.")
    dataset_path: ClassVar[property] = _output("dataset.hdf5", "Inputs and targets of all views, split by galaxy.")
    models_dir: ClassVar[property] = _output("models", "Trained networks: ``<architecture>/<inputs>/``.")
    predictions_path: ClassVar[property] = _output("predictions.hdf5", "Predictions for the test split.")
    posteriors_path: ClassVar[property] = _output("posteriors.hdf5", "Draws of profiles for the test split.")
    floor_path: ClassVar[property] = _output("floor.hdf5", "What ideal observers predict for the test split.")
    benchmark_path: ClassVar[property] = _output("rotation/benchmark.hdf5", "Rotation curves of the test galaxies.")
    robustness_path: ClassVar[property] = _output("robustness.hdf5", "Methods trained in one universe, tested in all.")
    figures_dir: ClassVar[property] = _output("figures", "``figures/<name>.{png,pdf,csv}``.")
    notebooks_dir: ClassVar[property] = _output("notebooks", "Executed notebooks.")
    results_path: ClassVar[property] = _output("results.json", "``results.json``, every number that the book quotes.")
    run_path: ClassVar[property] = _output("run.json", "``run.json``, the provenance of the run.")

    @property
    def source(self) -> Source:
        """The data source that `universe` names."""
        return SOURCES[self.universe]

    @property
    def is_embedded(self) -> bool:
        """Whether the galaxies are those of the embedded universe, also behind a web API or as a tree on disk."""
        return self.source.written_here or self.simulation.startswith("embedded")

    @property
    def origin(self) -> str:
        """Where the galaxies are from: ``embedded``, or the name of the simulation."""
        return "embedded" if self.is_embedded else self.simulation

    @property
    def label(self) -> str:
        """What a figure's caption says of its data, for example ``TNG50-1, snapshot 99, profile quick``."""
        where = simulation_label(self.origin, self.snapshot)
        if not self.is_embedded:
            where += self.source.note
        elif not self.source.written_here:
            where += f", read as universe '{self.universe}'"
        if self.physics != "fiducial":
            where += f", {self.physics} physics"
        if self.sample:
            where += f", only {self.sample} galaxies"
        return f"{where}, profile {self.profile}"
