r"""The parameter file (``.ski``) of a SKIRT run.

**Lines of sight.** SKIRT's distant instruments look from the direction :math:`k = (\sin\theta\cos\varphi,
\sin\theta\sin\varphi, \cos\theta)`; a position is first turned to

.. math::
   x'' = -x\sin\varphi + y\cos\varphi, \qquad y'' = -x\cos\varphi\cos\theta - y\sin\varphi\cos\theta + z\sin\theta,

and then by the roll :math:`\omega` to the frame's :math:`x' = x''\cos\omega - y''\sin\omega`, right, and
:math:`y' = x''\sin\omega + y''\cos\omega`, up (``FrameInstrument.cpp``). With k towards the observer that is
right-handed, as `dmlib.observe.views` is: the rows of a view's rotation are the frame's x', y' and k, and give the
three angles.

Only what differs from SKIRT's defaults is written, and what has none; versions of SKIRT 9 differ in the rest. (SKIRT
10, in the making in 2026, builds its octrees from other elements and does not read these files.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ...files import write_text
from ...units import COSMOLOGY
from ..grid import SkyGrid
from ..views import View
from .dustmix import write_dust_mix
from .population import PACKET_RANGE, write_band, write_population
from .settings import SkirtSettings

STARS, YOUNG, GAS = "stars.txt", "young.txt", "gas.txt"
POPULATION, DUST_MIX = "population.stab", "dust.txt"


def instrument_angles(rotation: np.ndarray) -> tuple[float, float, float]:
    """Inclination, azimuth and roll [deg] of the instrument that sees what a view's rotation shows.

    Parameters
    ----------
    rotation : ndarray, shape (3, 3)
        Box frame to observer frame, see `dmlib.observe.views.View`.
    """
    right, _, towards = np.asarray(rotation, dtype=float)
    tilt = np.hypot(towards[0], towards[1])
    theta = np.arctan2(tilt, towards[2])
    # Along the box's z axis the azimuth is free; the roll takes up what it leaves.
    phi = np.arctan2(towards[1], towards[0]) if tilt > 1e-12 else 0.0
    axis_x = np.array([-np.sin(phi), np.cos(phi), 0.0])
    axis_y = np.array([-np.cos(phi) * np.cos(theta), -np.sin(phi) * np.cos(theta), np.sin(theta)])
    omega = np.arctan2(-(right @ axis_y), right @ axis_x)
    inclination, azimuth, roll = np.degrees([theta, phi, omega])
    return float(inclination), float(azimuth), float(roll)


def instrument_name(index: int) -> str:
    """What SKIRT calls the instrument of a view; its frame is ``PREFIX_NAME_total.fits``."""
    return f"view{index}"


@dataclass(frozen=True)
class Contents:
    """What there is to be put into a parameter file.

    Parameters
    ----------
    old, young, gas : int
        Rows of the files of stars, of star-forming regions and of gas; 0 where there is no such file.
    domain : ndarray, shape (3, 2)
        Edges of the box that holds the dust [kpc].
    """

    old: int
    young: int
    gas: int
    domain: np.ndarray


def _node(tag: str, *children: ElementTree.Element, **attributes: str | int | float) -> ElementTree.Element:
    element = ElementTree.Element(tag, {name: _number(value) for name, value in attributes.items()})
    element.extend(children)
    return element


def _number(value: str | int | float) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _holds(name: str, base: str, *items: ElementTree.Element) -> ElementTree.Element:
    """A property that holds items: an element with the base type, around the items."""
    element = ElementTree.Element(name, {"type": base})
    element.extend(items)
    return element


def _source(filename: str, family: ElementTree.Element) -> ElementTree.Element:
    kernel = _holds("smoothingKernel", "SmoothingKernel", _node("CubicSplineSmoothingKernel"))
    return _node("ParticleSource", kernel, _holds("sedFamily", "SEDFamily", family), filename=filename)


def _sources(settings: SkirtSettings, contents: Contents) -> list[ElementTree.Element]:
    if settings.library == "self-contained":
        family = _node("FileSSPSEDFamily", filename=POPULATION)
    else:
        family = _node("BruzualCharlotSEDFamily", imf="Chabrier", resolution="Low")
    sources = [_source(STARS, family)] if contents.old else []
    return sources + ([_source(YOUNG, _node("MappingsSEDFamily"))] if contents.young else [])


def _box(domain: np.ndarray) -> dict[str, str]:
    names = [(f"min{axis}", f"max{axis}") for axis in "XYZ"]
    return {
        name: f"{1e3 * value:.9g} pc"
        for pair, row in zip(names, domain, strict=True)
        for name, value in zip(pair, row, strict=True)
    }


def _medium(settings: SkirtSettings, contents: Contents) -> ElementTree.Element:
    if settings.library == "self-contained":
        mix = _node("MeanFileDustMix", filename=DUST_MIX)
    else:
        mix = _node("ZubkoDustMix", numSilicateSizes=15, numGraphiteSizes=15, numPAHSizes=10)
    material = _holds("materialMix", "MaterialMix", mix)
    common = {"filename": GAS, "massFraction": settings.dust_to_metals, "importMetallicity": "true"}
    box = _box(contents.domain)
    if settings.medium == "voronoi":
        medium = _node("VoronoiMeshMedium", material, massType="MassDensity", **box, **common)
        grid = _node("VoronoiMeshSpatialGrid", policy="ImportedMesh", **box)
    else:
        kernel = _holds("smoothingKernel", "SmoothingKernel", _node("CubicSplineSmoothingKernel"))
        medium = _node("ParticleMedium", kernel, material, massType="Mass", **common)
        level = np.ceil(np.log2(np.ptp(contents.domain, axis=1).max() / settings.cell))
        policy = _node("DensityTreePolicy", minLevel=3, maxLevel=int(np.clip(level, 3, 20)), maxDustFraction=1e-5)
        grid = _node("PolicyTreeSpatialGrid", _holds("policy", "TreePolicy", policy), treeType="OctTree", **box)
    return _node("MediumSystem", _holds("media", "Medium", medium), _holds("grid", "SpatialGrid", grid))


def _bands(settings: SkirtSettings) -> ElementTree.Element:
    if settings.library == "resources":
        bands = [_node("BroadBand", bandName=f"SLOAN_SDSS_{band.upper()}") for band in settings.bands]
    else:
        bands = [_node("FileBand", filename=band_file(band)) for band in settings.bands]
    return _holds(
        "wavelengthGrid", "WavelengthGrid", _node("ConfigurableBandWavelengthGrid", _holds("bands", "Band", *bands))
    )


def _instrument(settings: SkirtSettings, view: View, grid: SkyGrid) -> ElementTree.Element:
    angles = zip(("inclination", "azimuth", "roll"), instrument_angles(view.rotation), strict=True)
    side = f"{1e3 * grid.field_of_view:.9g} pc"
    distance = settings.luminosity_distance if settings.frame == "rest" else 0.0
    return _node(
        "FrameInstrument",
        _bands(settings),
        instrumentName=instrument_name(view.index),
        distance=f"{distance:.9g} Mpc",
        **{name: f"{angle:.12g} deg" for name, angle in angles},
        fieldOfViewX=side,
        numPixelsX=grid.pixels,
        fieldOfViewY=side,
        numPixelsY=grid.pixels,
    )


def parameter_file(
    settings: SkirtSettings, views: Sequence[View], grid: SkyGrid, contents: Contents
) -> ElementTree.Element:
    """The parameter file of a run.

    Parameters
    ----------
    settings : SkirtSettings
    views : sequence of View
        One instrument each.
    grid : SkyGrid
        Their pixels.
    contents : Contents

    Returns
    -------
    Element
        The root. Without dusty cells, or where `settings` wants no dust, the run has no medium at all.
    """
    dusty = settings.dust and contents.gas > 0
    if settings.frame == "rest":
        cosmology = _node("LocalUniverseCosmology")
    else:
        cosmology = _node(
            "FlatUniverseCosmology",
            redshift=settings.redshift,
            reducedHubbleConstant=float(COSMOLOGY.h),
            matterDensityFraction=float(COSMOLOGY.Om0),
        )
    stretch = 1.0 if settings.frame == "rest" else 1.0 + settings.redshift
    source_system = _node(
        "SourceSystem",
        _holds("sources", "Source", *_sources(settings, contents)),
        minWavelength=f"{PACKET_RANGE[0] / stretch:.9g} micron",
        # SKIRT's bands are wider than ours: their red wings reach 1.12 micron, their blue ones 0.29.
        maxWavelength=f"{PACKET_RANGE[1]:.9g} micron",
    )
    if settings.library == "resources":
        source_system.set("minWavelength", f"{0.29 / stretch:.9g} micron")
        source_system.set("maxWavelength", "1.13 micron")
    # Each with wavelengths of its own: where a default for all would stand is not the same in all versions.
    instruments = _holds("instruments", "Instrument", *(_instrument(settings, view, grid) for view in views))
    simulation = _node(
        "MonteCarloSimulation",
        _holds("random", "Random", _node("Random", seed=settings.seed)),
        _holds("units", "Units", _node("ExtragalacticUnits", fluxOutputStyle="Frequency")),
        _holds("cosmology", "Cosmology", cosmology),
        _holds("sourceSystem", "SourceSystem", source_system),
        *([_holds("mediumSystem", "MediumSystem", _medium(settings, contents))] if dusty else []),
        _holds("instrumentSystem", "InstrumentSystem", _node("InstrumentSystem", instruments)),
        _holds("probeSystem", "ProbeSystem", _node("ProbeSystem")),
        simulationMode="ExtinctionOnly" if dusty else "NoMedium",
        numPackets=settings.packets,
    )
    root = ElementTree.Element(
        "skirt-simulation-hierarchy", {"type": "MonteCarloSimulation", "format": "9", "producer": "dmlib"}
    )
    root.append(simulation)
    return root


def band_file(band: str) -> str:
    """Name of the file that holds a band curve."""
    return f"band_{band}.txt"


def write_parameter_file(path: Path, root: ElementTree.Element) -> None:
    """Write a parameter file, indented for a reader."""
    ElementTree.indent(root, space="    ")
    text = ElementTree.tostring(root, encoding="unicode")
    write_text(path, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n')


def write_tables(folder: Path, settings: SkirtSettings) -> list[Path]:
    """Write the tables that stand in for SKIRT's resource packs; none where the packs are to be used."""
    if settings.library == "resources":
        return []
    write_population(folder / POPULATION)
    for band in settings.bands:
        write_band(folder / band_file(band), band)
    write_dust_mix(folder / DUST_MIX)
    return [folder / name for name in (POPULATION, DUST_MIX, *(band_file(band) for band in settings.bands))]
