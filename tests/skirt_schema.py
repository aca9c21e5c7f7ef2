"""What SKIRT 9 accepts in a parameter file, as far as dmlib uses it, and a checker of parameter files.

Every entry was read in SKIRT's own source (github.com/SKIRT/SKIRT9, folder ``SKIRT/core`` unless a path is given): the
class, the base class and the properties are the arguments of the macros ``ITEM_CONCRETE``, ``ITEM_ABSTRACT`` and
``PROPERTY_*`` of the header that is named. The rules are those of ``SMILE/serialize/XmlHierarchyCreator.cpp``: an
item's attributes are known properties of simple type; a property that holds items is an element whose attribute
``type`` is the base class, and which holds items that inherit from it; what has neither default nor is optional must be
there. Conditions between properties (``ATTRIBUTE_RELEVANT_IF``, ``ATTRIBUTE_REQUIRED_IF``) are followed in SKIRT's own
order: what an attribute says is known from there on, children are read next, and only then are defaults set, so that a
condition on a default that was not written out fails for the children. A default item is made of defaults throughout.

Where versions of SKIRT 9 differ (2019 to 2026), a property is here only if it has the same name in all that were read.
SKIRT 10, in development, is not meant: there a tree grid holds its own levels and a list of policies. That a run
succeeds is another matter, and shown by no schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

#: Units by quantity (``SkirtUnitDef.cpp``), those that dmlib writes and their neighbours.
UNITS = {
    "length": {"m", "cm", "mm", "km", "AU", "pc", "kpc", "Mpc"},
    "distance": {"m", "cm", "mm", "km", "AU", "pc", "kpc", "Mpc"},
    "wavelength": {"m", "cm", "mm", "micron", "nm", "Angstrom", "pm"},
    "posangle": {"rad", "deg", "arcmin", "arcsec"},
    "mass": {"kg", "g", "Msun", "amu"},
    "time": {"s", "yr", "Myr", "Gyr"},
    "massrate": {"kg/s", "g/s", "Msun/yr"},
    "pressure": {"Pa", "N/m2", "J/m3", "bar", "mbar", "hPa", "Ba", "erg/cm3", "K/m3"},
    "massvolumedensity": {"kg/m3", "g/cm3", "Msun/AU3", "Msun/pc3"},
    "masscoefficient": {"m2/kg", "cm2/g"},
}


@dataclass(frozen=True)
class Property:
    """One discoverable property.

    Parameters
    ----------
    kind : {"string", "int", "bool", "double", "enum", "item", "list"}
    of : str or tuple of str
        Quantity of a double, keys of an enumeration, base class of items.
    limits : tuple of float
        Least and largest value.
    needed : bool
        Without a default.
    relevant, required : str
        When it is relevant, and when it must be there, in terms of the names known so far.
    default : str
        For an item, the class that is made when it is missing; else the value. Only where something depends on it.
    insert : str
        Names that become known when it is set, ``condition:name,name;...``.
    """

    kind: str
    of: str | tuple[str, ...] = ""
    limits: tuple[float, float] = (float("-inf"), float("inf"))
    needed: bool = False
    relevant: str = ""
    required: str = ""
    default: str = ""
    insert: str = ""


@dataclass(frozen=True)
class Item:
    """One class: the header that declares it, its base, its properties, and whether it can be made."""

    header: str
    base: str
    properties: dict[str, Property] = field(default_factory=dict)
    concrete: bool = True


def _box() -> dict[str, Property]:
    return {f"{end}{axis}": Property("double", "length", needed=True) for end in ("min", "max") for axis in "XYZ"}


_FILE = {"filename": Property("string", needed=True)}

ITEMS = {
    "Simulation": Item(
        "Simulation.hpp",
        "SimulationItem",
        {
            "userLevel": Property(
                "enum",
                ("Basic", "Regular", "Expert"),
                default="Regular",
                insert="userLevelBasic:Level1;userLevelRegular:Level1,Level2;userLevelExpert:Level1,Level2,Level3",
            ),
            "random": Property("item", "Random"),
            "units": Property("item", "Units"),
        },
        False,
    ),
    "MonteCarloSimulation": Item(
        "MonteCarloSimulation.hpp",
        "Simulation",
        {
            "simulationMode": Property(
                "enum",
                ("OligoNoMedium", "OligoExtinctionOnly", "NoMedium", "ExtinctionOnly"),
                default="ExtinctionOnly",
                insert="simulationModeOligoNoMedium:Oligochromatic,NoMedium;"
                "simulationModeOligoExtinctionOnly:Oligochromatic,ExtinctionOnly;"
                "simulationModeNoMedium:Panchromatic,NoMedium;simulationModeExtinctionOnly:Panchromatic,ExtinctionOnly",
            ),
            "cosmology": Property("item", "Cosmology"),
            "numPackets": Property("double", "", (0, 1e19)),
            "sourceSystem": Property("item", "SourceSystem"),
            "mediumSystem": Property("item", "MediumSystem", required="!NoMedium", default="MediumSystem"),
            "instrumentSystem": Property("item", "InstrumentSystem"),
            "probeSystem": Property("item", "ProbeSystem"),
        },
    ),
    "Random": Item("Random.hpp", "SimulationItem", {"seed": Property("int", "", (0, 1_000_000))}),
    "Units": Item(
        "Units.hpp",
        "SimulationItem",
        {"fluxOutputStyle": Property("enum", ("Neutral", "Wavelength", "Frequency"))},
        False,
    ),
    "ExtragalacticUnits": Item("ExtragalacticUnits.hpp", "Units"),
    "Cosmology": Item("Cosmology.hpp", "SimulationItem", concrete=False),
    "LocalUniverseCosmology": Item("LocalUniverseCosmology.hpp", "Cosmology"),
    "FlatUniverseCosmology": Item(
        "FlatUniverseCosmology.hpp",
        "Cosmology",
        {
            "redshift": Property("double", "", (0, 15)),
            "reducedHubbleConstant": Property("double", "", (0.3, 1)),
            "matterDensityFraction": Property("double", "", (0.1, 0.9)),
        },
    ),
    "SourceSystem": Item(
        "SourceSystem.hpp",
        "SimulationItem",
        {
            "minWavelength": Property("double", "wavelength"),
            "maxWavelength": Property("double", "wavelength"),
            "sources": Property("list", "Source"),
            "sourceBias": Property("double", "", (0, 1)),
        },
    ),
    "Source": Item("Source.hpp", "SimulationItem", {"sourceWeight": Property("double")}, False),
    "ImportedSource": Item(
        "ImportedSource.hpp",
        "Source",
        _FILE | {"importVelocity": Property("bool"), "sedFamily": Property("item", "SEDFamily")},
        False,
    ),
    "ParticleSource": Item(
        "ParticleSource.hpp", "ImportedSource", {"smoothingKernel": Property("item", "SmoothingKernel")}
    ),
    "SmoothingKernel": Item("SmoothingKernel.hpp", "SimulationItem", concrete=False),
    "CubicSplineSmoothingKernel": Item("CubicSplineSmoothingKernel.hpp", "SmoothingKernel"),
    "SEDFamily": Item("SEDFamily.hpp", "SimulationItem", concrete=False),
    "FileSSPSEDFamily": Item("FileSSPSEDFamily.hpp", "SEDFamily", _FILE),
    "BruzualCharlotSEDFamily": Item(
        "BruzualCharlotSEDFamily.hpp",
        "SEDFamily",
        {"imf": Property("enum", ("Chabrier", "Salpeter")), "resolution": Property("enum", ("Low", "High"))},
    ),
    "MappingsSEDFamily": Item("MappingsSEDFamily.hpp", "SEDFamily"),
    "MediumSystem": Item(
        "MediumSystem.hpp",
        "SimulationItem",
        {"media": Property("list", "Medium"), "grid": Property("item", "SpatialGrid")},
    ),
    "Medium": Item("Medium.hpp", "SimulationItem", concrete=False),
    "ImportedMedium": Item(
        "ImportedMedium.hpp",
        "Medium",
        _FILE
        | {
            "massFraction": Property("double", "", (0, 1)),
            "importMetallicity": Property("bool"),
            "importTemperature": Property("bool"),
            "importVelocity": Property("bool"),
            "materialMix": Property("item", "MaterialMix"),
        },
        False,
    ),
    "ParticleMedium": Item(
        "ParticleMedium.hpp",
        "ImportedMedium",
        {
            "smoothingKernel": Property("item", "SmoothingKernel"),
            "massType": Property("enum", ("Mass", "Number")),
        },
    ),
    "MeshMedium": Item(
        "MeshMedium.hpp",
        "ImportedMedium",
        _box() | {"massType": Property("enum", ("MassDensity", "Mass", "NumberDensity", "Number"))},
        False,
    ),
    "VoronoiMeshMedium": Item("VoronoiMeshMedium.hpp", "MeshMedium"),
    "MaterialMix": Item("MaterialMix.hpp", "SimulationItem", concrete=False),
    "DustMix": Item("DustMix.hpp", "MaterialMix", concrete=False),
    "TabulatedDustMix": Item("TabulatedDustMix.hpp", "DustMix", concrete=False),
    "MeanFileDustMix": Item("MeanFileDustMix.hpp", "TabulatedDustMix", _FILE),
    "MultiGrainDustMix": Item("MultiGrainDustMix.hpp", "DustMix", concrete=False),
    "ZubkoDustMix": Item(
        "ZubkoDustMix.hpp",
        "MultiGrainDustMix",
        {name: Property("int", "", (1, 1e9)) for name in ("numSilicateSizes", "numGraphiteSizes", "numPAHSizes")},
    ),
    "SpatialGrid": Item("SpatialGrid.hpp", "SimulationItem", concrete=False),
    "BoxSpatialGrid": Item("BoxSpatialGrid.hpp", "SpatialGrid", _box(), False),
    "TreeSpatialGrid": Item("TreeSpatialGrid.hpp", "BoxSpatialGrid", concrete=False),
    "PolicyTreeSpatialGrid": Item(
        "PolicyTreeSpatialGrid.hpp",
        "TreeSpatialGrid",
        {"treeType": Property("enum", ("OctTree", "BinTree")), "policy": Property("item", "TreePolicy")},
    ),
    "TreePolicy": Item(
        "TreePolicy.hpp",
        "SimulationItem",
        {"minLevel": Property("int", "", (0, 99)), "maxLevel": Property("int", "", (0, 99))},
        False,
    ),
    "DensityTreePolicy": Item(
        "DensityTreePolicy.hpp", "TreePolicy", {"maxDustFraction": Property("double", "", (0, 1e-2))}
    ),
    "VoronoiMeshSpatialGrid": Item(
        "VoronoiMeshSpatialGrid.hpp",
        "BoxSpatialGrid",
        {
            "policy": Property(
                "enum", ("Uniform", "CentralPeak", "DustDensity", "File", "ImportedSites", "ImportedMesh")
            )
        },
    ),
    "InstrumentSystem": Item(
        "InstrumentSystem.hpp",
        "SimulationItem",
        {
            "defaultWavelengthGrid": Property(
                "item",
                "WavelengthGrid",
                relevant="Panchromatic",
                required="!Level2",
                default="LogWavelengthGrid",
                insert="defaultWavelengthGrid:DefaultInstrumentWavelengthGrid",
            ),
            "instruments": Property("list", "Instrument"),
        },
    ),
    "Instrument": Item(
        "Instrument.hpp",
        "SimulationItem",
        {
            "instrumentName": Property("string", needed=True),
            "wavelengthGrid": Property(
                "item",
                "WavelengthGrid",
                needed=True,
                relevant="Panchromatic",
                required="!DefaultInstrumentWavelengthGrid",
            ),
            "recordComponents": Property("bool"),
        },
        False,
    ),
    "DistantInstrument": Item(
        "DistantInstrument.hpp",
        "Instrument",
        {
            "distance": Property("double", "distance", (0, float("inf")), True),
            "inclination": Property("double", "posangle", (0, 180)),
            "azimuth": Property("double", "posangle", (-360, 360)),
            "roll": Property("double", "posangle", (-360, 360)),
        },
        False,
    ),
    "FrameInstrument": Item(
        "FrameInstrument.hpp",
        "DistantInstrument",
        {
            "fieldOfViewX": Property("double", "length", (1e-300, float("inf")), True),
            "numPixelsX": Property("int", "", (1, 10000)),
            "centerX": Property("double", "length"),
            "fieldOfViewY": Property("double", "length", (1e-300, float("inf")), True),
            "numPixelsY": Property("int", "", (1, 10000)),
            "centerY": Property("double", "length"),
        },
    ),
    "WavelengthGrid": Item("WavelengthGrid.hpp", "SimulationItem", concrete=False),
    "LogWavelengthGrid": Item(
        "LogWavelengthGrid.hpp",
        "WavelengthGrid",
        {f"{end}Wavelength": Property("double", "wavelength", needed=True) for end in ("min", "max")},
    ),
    "BandWavelengthGrid": Item("BandWavelengthGrid.hpp", "WavelengthGrid", concrete=False),
    "ConfigurableBandWavelengthGrid": Item(
        "ConfigurableBandWavelengthGrid.hpp", "BandWavelengthGrid", {"bands": Property("list", "Band")}
    ),
    "Band": Item("Band.hpp", "SimulationItem", concrete=False),
    "BroadBand": Item("BroadBand.hpp", "Band", {"bandName": Property("string", needed=True)}),
    "FileBand": Item("FileBand.hpp", "Band", _FILE),
    "ProbeSystem": Item("ProbeSystem.hpp", "SimulationItem"),
}

#: Bands of ``BroadBand.hpp`` that dmlib names.
BROAD_BANDS = {f"SLOAN_SDSS_{band}" for band in "UGRIZ"}

#: Columns that a file must have, in order, by the class that reads it: words in the name, and the quantity of the unit
#: ("" for a number). ``ParticleSnapshot.cpp``, ``VoronoiMeshMedium.hpp``, ``ParticleMedium.hpp``, the SED families'
#: headers, ``FileBand.cpp``, ``MeanFileDustMix.cpp``.
_PLACE = [(f"position {axis}", "length") for axis in "xyz"]
_SSP = [("initial mass", "mass"), ("metallicity", ""), ("age", "time")]
COLUMNS = {
    "FileSSPSEDFamily": [*_PLACE, ("smoothing length", "length"), *_SSP],
    "BruzualCharlotSEDFamily": [*_PLACE, ("smoothing length", "length"), *_SSP],
    "MappingsSEDFamily": [
        *_PLACE,
        ("smoothing length", "length"),
        ("star formation rate", "massrate"),
        ("metallicity", ""),
        ("compactness", ""),
        ("pressure", "pressure"),
        ("covering factor", ""),
    ],
    "ParticleMedium": [*_PLACE, ("smoothing length", "length"), ("mass", "mass"), ("metallicity", "")],
    "VoronoiMeshMedium": [*_PLACE, ("mass density", "massvolumedensity"), ("metallicity", "")],
    "FileBand": [("wavelength", "wavelength"), ("transmission", "")],
    "MeanFileDustMix": [
        ("wavelength", "wavelength"),
        ("extinction mass coefficient", "masscoefficient"),
        ("scattering albedo", ""),
        ("scattering asymmetry parameter", ""),
    ],
}

#: A header line of a column file, the expression of ``TextInFile.cpp``.
HEADER = re.compile(r"#\s*column\s*(\d+)\s*:[^()]*\(\s*([a-z0-9/]*)\s*\)\s*", re.IGNORECASE)


def ancestors(name: str) -> list[str]:
    """A class and its bases."""
    chain = [name]
    while (name := ITEMS[name].base) in ITEMS:
        chain.append(name)
    return chain


def properties(name: str) -> dict[str, Property]:
    """All properties of a class, those of its bases included."""
    return {key: value for base in reversed(ancestors(name)) for key, value in ITEMS[base].properties.items()}


def problems(path: Path) -> list[str]:
    """What SKIRT would refuse in a parameter file and in the files that it names; empty where nothing."""
    root = ElementTree.parse(path).getroot()
    if root.tag != "skirt-simulation-hierarchy" or root.get("type") != "MonteCarloSimulation" or len(root) != 1:
        return [f"the root is <{root.tag} type={root.get('type')}> with {len(root)} items"]
    return [*_holds(root, "MonteCarloSimulation", 1, path.parent, Names(set()))]


class Names:
    """SKIRT's name manager: what is known so far; a small first letter stands for names of one item only.

    Parameters
    ----------
    known : set of str
        Shared by all items.
    """

    def __init__(self, known: set[str]):
        self.known, self.local = known, set()

    def add(self, *names: str) -> None:
        """Make names known."""
        for name in names:
            (self.known if name[0].isupper() else self.local).add(name)

    def holds(self, condition: str) -> bool:
        """Whether a condition of names, ``!``, ``&`` and ``|`` holds; an empty one does."""
        words = re.sub(r"\w+", lambda word: str(word[0] in self.known | self.local), condition)
        return not condition or eval(words.replace("!", " not ").replace("&", " and ").replace("|", " or "))

    def set(self, name: str, wanted: Property, value: str) -> None:
        """What becomes known when a property gets a value."""
        if wanted.kind == "enum":
            self.add(name + value)
        elif wanted.kind == "item" or value == "true":
            self.add(name, *(ancestors(value) if wanted.kind == "item" else ()))
        for part in filter(None, wanted.insert.split(";")):
            condition, _, names = part.rpartition(":")
            if self.holds(condition):
                self.add(*names.split(","))
                return

    def must(self, wanted: Property) -> bool:
        """Whether a property that is not given is relevant and required."""
        return self.holds(wanted.relevant) and self.holds(wanted.required)


def _defaults(name: str, names: Names, given: frozenset[str] = frozenset()):
    """Set what is not given to its default; complains about what has none."""
    for key, wanted in properties(name).items():
        if key in given or not names.must(wanted):
            continue
        if wanted.needed:
            yield f"Value for required property '{key}' in item of type '{name}' is not specified"
        elif wanted.kind == "item" and wanted.default:
            names.set(key, wanted, wanted.default)
            yield from _defaults(wanted.default, Names(names.known))
        elif wanted.default:
            names.set(key, wanted, wanted.default)


def _holds(element: ElementTree.Element, base: str, most: int, folder: Path, names: Names):
    if element.get("type") != base:
        yield f"<{element.tag}> has type '{element.get('type')}', not '{base}'"
    if len(element) > most or (most == 1 and not len(element)):
        yield f"<{element.tag}> holds {len(element)} items"
    for item in element:
        if item.tag not in ITEMS or not ITEMS[item.tag].concrete or base not in ancestors(item.tag):
            yield f"<{item.tag}> is no {base}"
        else:
            names.add(*ancestors(item.tag))
            yield from _item(item, folder, Names(names.known))


def _item(item: ElementTree.Element, folder: Path, names: Names):
    known = properties(item.tag)
    for name, text in item.attrib.items():
        if name not in known:
            yield f"{item.tag} has no property '{name}'"
        elif wrong := _value(known[name], text):
            yield f"{item.tag}.{name}: {wrong}"
        else:
            names.set(name, known[name], text)
    for child in item:
        found = known.get(child.tag)
        if found is None or found.kind not in ("item", "list"):
            yield f"{item.tag} has no property '{child.tag}' that holds items"
        else:
            yield from _holds(child, str(found.of), 1 if found.kind == "item" else 1000, folder, names)
            if found.kind == "item" and len(child):
                names.set(child.tag, found, child[0].tag)
    yield from _defaults(item.tag, names, frozenset([*item.attrib, *(child.tag for child in item)]))
    if "filename" in item.attrib:
        yield from _file(item, folder / item.attrib["filename"])
    if item.tag == "BroadBand" and item.get("bandName") not in BROAD_BANDS:
        yield f"there is no band {item.get('bandName')}"


def _value(wanted: Property, text: str) -> str:
    if wanted.kind == "string":
        return "" if text else "is empty"
    if wanted.kind == "bool":
        return "" if text in ("true", "false") else f"'{text}' is no truth value"
    if wanted.kind == "enum":
        return "" if text in wanted.of else f"'{text}' is none of {wanted.of}"
    number, _, unit = text.partition(" ")
    try:
        value = float(number) if wanted.kind == "double" else int(number)
    except ValueError:
        return f"'{text}' is no number"
    if wanted.of and unit not in UNITS[str(wanted.of)]:
        return f"'{text}' has no unit of {wanted.of}"
    if not wanted.of and unit:
        return f"'{text}' has a unit"
    return "" if wanted.limits[0] <= value <= wanted.limits[1] else f"{text} is out of range"


def _file(item: ElementTree.Element, path: Path):
    if not path.is_file():
        yield f"{item.tag}: there is no {path.name}"
        return
    family = item.find("sedFamily")
    reader = family[0].tag if family is not None else item.tag
    if path.suffix == ".stab":
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    units = [match[2] for line in lines if line.startswith("#") and (match := HEADER.fullmatch(line))]
    wanted = COLUMNS[reader]
    if len(units) != len(wanted):
        yield f"{path.name} describes {len(units)} columns where {reader} reads {len(wanted)}"
        return
    described = [line for line in lines if line.startswith("#") and HEADER.fullmatch(line)]
    for number, ((words, quantity), unit, line) in enumerate(zip(wanted, units, described, strict=True), start=1):
        if f"column {number}:" not in line or words not in line:
            yield f"{path.name}: column {number} is '{line}', not {words}"
        if unit not in (UNITS[quantity] if quantity else {"", "1"}):
            yield f"{path.name}: column {number} is in '{unit}', no unit of {quantity or 'a number'}"


#: Elements of SKIRT's own schema by our kinds (``PropertyDef`` types, ``SMILE/schema/SchemaDef.cpp``).
_KINDS = {
    "StringProperty": "string",
    "IntProperty": "int",
    "BoolProperty": "bool",
    "DoubleProperty": "double",
    "EnumProperty": "enum",
    "ItemProperty": "item",
    "ItemListProperty": "list",
}


def differences(smile: Path) -> list[str]:
    """Where this schema and that of an executable differ; the latter is what ``skirt -x`` writes, ``skirt.smile``."""
    types = {item.get("name"): item for item in ElementTree.parse(smile).getroot().iter("Type")}
    return [line for name, item in ITEMS.items() for line in _differences(name, item, types)]


def _chain(name: str | None, types: dict[str, ElementTree.Element]) -> list[str]:
    chain = []
    while name in types:
        chain.append(name)
        name = types[name].get("base")
    return chain


def _differences(name: str, item: Item, types: dict[str, ElementTree.Element]):
    if name not in types:
        yield f"there is no {name}"
        return
    chain = _chain(name, types)
    if item.base in ITEMS and item.base not in chain:
        yield f"{name} is no {item.base}"
    if item.concrete and types[name].get("concrete") != "true":
        yield f"{name} cannot be made"
    theirs = {
        found.get("name"): found
        for base in reversed(chain)
        for found in (types[base].find("properties") if types[base].find("properties") is not None else [])
    }
    ours = properties(name)
    for key, wanted in ours.items():
        found = theirs.get(key)
        if found is None:
            yield f"{name} has no property {key}"
        elif _KINDS.get(found.tag) != wanted.kind:
            yield f"{name}.{key} is a {found.tag}"
        elif wanted.kind == "double" and found.get("quantity", "") != wanted.of:
            yield f"{name}.{key} is of '{found.get('quantity', '')}'"
        elif wanted.kind in ("item", "list") and found.get("base") not in _chain(str(wanted.of), types):
            yield f"{name}.{key} holds {found.get('base')}"
        elif wanted.kind == "enum" and not set(wanted.of) <= {value.get("name") for value in found.iter("EnumValue")}:
            yield f"{name}.{key} lacks one of {wanted.of}"
    if item.concrete:
        for key, found in theirs.items():
            free = found.get("default") or found.get("requiredIf") or found.get("relevantIf")
            if not free and key not in ours and _KINDS.get(found.tag) not in ("item", "list"):
                yield f"{name} needs {key}"
