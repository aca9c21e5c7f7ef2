"""Parameter files: SKIRT would accept them, and its instruments look along our lines of sight."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import skirt_schema
from dmlib.observe.images.published import box_view
from dmlib.observe.skirt import SkirtSettings, instrument_angles
from dmlib.observe.skirt.export import export
from dmlib.observe.sky import View, lines_of_sight, rotation_to
from skirt_toys import GRID, VARIANTS, galaxy, gas, lopsided, some_views, stars

DUSTY = gas([[0.0, 0.0, 0.0], [3.0, 1.0, 0.0], [1.0, -4.0, 0.5]], forming=[1, 1, 0])


def detector(angles, position):
    """Where SKIRT's frame puts a position, and how far towards the observer it is.

    ``FrameInstrument::pixelOnDetector`` and ``Direction(theta, phi)`` of SKIRT 9, written down once more.
    """
    theta, phi, omega = np.radians(angles)
    x, y, z = np.asarray(position, dtype=float).T
    xpp = -np.sin(phi) * x + np.cos(phi) * y
    ypp = -np.cos(phi) * np.cos(theta) * x - np.sin(phi) * np.cos(theta) * y + np.sin(theta) * z
    xp = np.cos(omega) * xpp - np.sin(omega) * ypp
    yp = np.sin(omega) * xpp + np.cos(omega) * ypp
    towards = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    return np.column_stack([xp, yp, np.asarray(position) @ towards])


def test_the_transform_is_that_of_skirts_documentation():
    """The table of typical views in ``DistantInstrument.hpp``: which plane is seen, and which axis points where."""
    axes = np.eye(3)
    # XY-plane, angles 0 0 90: x right, y up. XZ-plane, 90 -90 0: x right, z up. YZ-plane, 90 0 0: y right, z up.
    for angles, right, up in (((0, 0, 90), 0, 1), ((90, -90, 0), 0, 2), ((90, 0, 0), 1, 2)):
        seen = detector(angles, axes)
        np.testing.assert_allclose(seen[right], [1, 0, 0], atol=1e-12)
        np.testing.assert_allclose(seen[up], [0, 1, 0], atol=1e-12)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_instruments_see_what_the_views_project(subhalo_id, seed):
    positions = np.array([[9.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 2.5], [1.0, -2.0, 3.0]])
    for view in lines_of_sight(subhalo_id, None, 2, seed=seed):
        angles = instrument_angles(view.rotation)
        assert 0 <= angles[0] <= 180 and all(-360 <= angle <= 360 for angle in angles[1:])
        np.testing.assert_allclose(detector(angles, positions), view.project(positions), atol=1e-9)


def test_instruments_along_the_axes_of_the_box():
    positions = np.array([[9.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 2.5]])
    half_turn = np.diag([1.0, -1.0, -1.0])
    nearly = rotation_to(np.array([0.0, 0.0, 1.0]), 1e-9, 77.0)
    for rotation in (box_view(7).rotation, half_turn, np.diag([-1.0, 1.0, -1.0]), nearly):
        view = View(7, 0, rotation, np.nan, np.nan)
        np.testing.assert_allclose(
            detector(instrument_angles(rotation), positions), view.project(positions), rtol=0, atol=1e-7
        )


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: f"{v.library}-{v.frame}-{v.medium}-{v.dust}")
def test_skirt_would_accept_the_parameter_file(tmp_path, variant):
    young = galaxy(stars([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]], [5.0, 0.003]), DUSTY)
    written = export(young, some_views(), GRID, variant, tmp_path)
    assert skirt_schema.problems(written.ski) == []
    simulation = ElementTree.parse(written.ski).getroot()[0]
    assert simulation.get("simulationMode") == ("ExtinctionOnly" if variant.dust else "NoMedium")
    assert (simulation.find("mediumSystem") is not None) == variant.dust
    instruments = simulation.findall(".//FrameInstrument")
    assert [item.get("instrumentName") for item in instruments] == ["view0", "view1", "view2"]
    # An instrument at no distance is in the observer's frame, and then the cosmology must have a redshift.
    at_rest = variant.frame == "rest"
    assert all((float(item.get("distance").split()[0]) > 0) == at_rest for item in instruments)
    assert (simulation.find("cosmology")[0].tag == "LocalUniverseCosmology") == at_rest


def test_without_dusty_cells_there_is_no_medium(tmp_path):
    no_dust = galaxy(stars([[0.0, 0.0, 0.0]], 5.0), gas([[0.0, 0.0, 0.0]], forming=False))
    written = export(no_dust, some_views(1), GRID, SkirtSettings(), tmp_path)
    assert written.rows["gas"] == 0 and not (tmp_path / "gas.txt").exists()
    assert skirt_schema.problems(written.ski) == []
    assert "mediumSystem" not in written.ski.read_text()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('roll="', 'rol="', "FrameInstrument has no property 'rol'"),
        ('massType="Mass"', 'massType="Weight"', "ParticleMedium.massType: 'Weight' is none"),
        ('<cosmology type="Cosmology">', '<cosmology type="Universe">', "has type 'Universe'"),
        ('filename="stars.txt"', 'filename="star.txt"', "there is no star.txt"),
        ('filename="stars.txt"', 'filename="gas.txt"', "describes 6 columns where FileSSPSEDFamily reads 7"),
        (" micron", " lightyears", "has no unit of wavelength"),
        ('instrumentName="view0" ', "", "'instrumentName' in item of type 'FrameInstrument' is not specified"),
        ('massFraction="0.3"', 'massFraction="3"', "ParticleMedium.massFraction: 3 is out of range"),
        ("<FileSSPSEDFamily", "<MeanFileDustMix", "<MeanFileDustMix> is no SEDFamily"),
    ],
)
def test_the_checker_sees_what_skirt_would_refuse(tmp_path, old, new, complaint):
    toy = galaxy(stars([[0.0, 0.0, 0.0]], 5.0), DUSTY)
    written = export(toy, some_views(1), GRID, SkirtSettings(library="self-contained"), tmp_path)
    text = written.ski.read_text()
    assert old in text
    written.ski.write_text(text.replace(old, new))
    assert any(complaint in problem for problem in skirt_schema.problems(written.ski))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        # SKIRT 9 of July 2026 said so of every file without userLevel: its default is set after the children are read.
        ('userLevel="Regular" ', "", "'minWavelength' in item of type 'LogWavelengthGrid' is not specified"),
        ('userLevel="Regular"', 'userLevel="Basic"', "'minWavelength' in item of type 'LogWavelengthGrid'"),
        ('userLevel="Regular"', 'userLevel="Expert"', None),
        (r"<wavelengthGrid.*?</wavelengthGrid>", "", "'wavelengthGrid' in item of type 'FrameInstrument'"),
        # Where the mode is not written out, no child knows that there are wavelengths to ask for.
        (r'simulationMode="\w+" ', "", None),
    ],
)
def test_conditions_are_judged_in_skirts_order(tmp_path, old, new, complaint):
    toy = galaxy(stars([[0.0, 0.0, 0.0]], 5.0), DUSTY)
    written = export(toy, some_views(1), GRID, SkirtSettings(library="self-contained"), tmp_path)
    text, n = re.subn(old, new, written.ski.read_text(), flags=re.DOTALL)
    assert n == 1
    written.ski.write_text(text)
    found = list(skirt_schema.problems(written.ski))
    assert found == [] if complaint is None else any(complaint in problem for problem in found)


def test_packets_follow_the_signal_to_noise(tmp_path):
    def packets(**asked):
        settings = SkirtSettings(library="self-contained", dust=False, **asked)
        return export(lopsided(), some_views(1), GRID, settings, tmp_path).settings.packets

    few, many = packets(signal_to_noise=300), packets(signal_to_noise=600)
    assert few >= 1e5 and many == pytest.approx(4 * few)
    assert packets(packets=3e5) == 3e5
    ski = (tmp_path / "subhalo_7.ski").read_text()
    assert 'numPackets="300000"' in ski


@pytest.mark.parametrize("depth", [10.0, 900.0])
def test_the_octree_is_as_fine_however_large_its_domain(tmp_path, depth):
    """A companion far behind stretches the domain, and must not coarsen the galaxy's dust."""
    cells = gas([[0.0, 0.0, 0.0], [1.0, 0.0, -depth]])
    toy = galaxy(stars([[0.0, 0.0, 0.0]], 5.0), cells)
    written = export(toy, [box_view(7)], GRID, SkirtSettings(library="self-contained"), tmp_path)
    # Half of the smoothing length, 2.5 cell radii of 1 kpc.
    smallest = 1e3 * written.settings.cell
    assert smallest == pytest.approx(1250.0)
    grid = ElementTree.parse(written.ski).getroot().find(".//PolicyTreeSpatialGrid")
    side = max(float(grid.get(f"max{axis}").split()[0]) - float(grid.get(f"min{axis}").split()[0]) for axis in "XYZ")
    finest = side / 2 ** int(grid.find(".//DensityTreePolicy").get("maxLevel"))
    assert side > 1e3 * depth and 0.5 * smallest < finest <= smallest


def smile(path, change=lambda text: text):
    """Our schema as ``skirt -x`` would write it (``SchemaDef::save``)."""
    kinds = {kind: tag for tag, kind in skirt_schema._KINDS.items()}
    root = ElementTree.Element("smile-schema", type="Schema")
    types = ElementTree.SubElement(ElementTree.SubElement(root, "Schema", name="SKIRT"), "types", type="Type")
    for name, item in skirt_schema.ITEMS.items():
        one = ElementTree.SubElement(types, "Type", name=name, base=item.base, title="")
        if item.concrete:
            one.set("concrete", "true")
        if item.properties:
            holder = ElementTree.SubElement(one, "properties", type="Property")
        for key, wanted in item.properties.items():
            found = ElementTree.SubElement(holder, kinds[wanted.kind], name=key, title="")
            if not wanted.needed:
                found.set("default", "something")
            if wanted.kind == "enum":
                values = ElementTree.SubElement(found, "enumValues", type="EnumValue")
                for value in wanted.of:
                    ElementTree.SubElement(values, "EnumValue", name=value, title="")
            elif wanted.of:
                found.set("quantity" if wanted.kind == "double" else "base", wanted.of)
    path.write_text(change(ElementTree.tostring(root, encoding="unicode")))
    return path


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("", "", None),
        ('name="roll"', 'name="rollAngle"', "FrameInstrument has no property roll"),
        ('name="maxDustFraction"', 'name="maxFraction"', "DensityTreePolicy has no property maxDustFraction"),
        ('<Type name="FileBand"', '<Type name="TextBand"', "there is no FileBand"),
        ('name="ExtinctionOnly"', 'name="Extinction"', "MonteCarloSimulation.simulationMode lacks one of"),
        ('quantity="posangle"', 'quantity="angle"', "FrameInstrument.inclination is of 'angle'"),
        (
            '<StringProperty name="instrumentName"',
            '<StringProperty name="label" title="" /><StringProperty name="instrumentName"',
            "FrameInstrument needs label",
        ),
    ],
)
def test_another_schema_than_ours_is_told(tmp_path, old, new, complaint):
    found = skirt_schema.differences(smile(tmp_path / "skirt.smile", lambda text: text.replace(old, new)))
    assert (found == []) if complaint is None else any(line.startswith(complaint) for line in found)


def test_settings_that_do_not_fit_together_are_refused():
    # A mesh around gas that never was one holds too much of it: only where it is asked for.
    assert SkirtSettings().medium == SkirtSettings(library="self-contained").medium == "particles"
    for wrong in (
        {"library": "self-contained", "frame": "observer"},
        {"dust_to_metals": 0.0},
        {"packets": 10},
        {"cell": 0.0},
        {"compactness": 9.0},
        {"grain": "rice"},
    ):
        with pytest.raises(ValidationError):
            SkirtSettings(**wrong)


def test_the_defaults_are_the_published_recipe(tmp_path):
    toy = galaxy(stars([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [5.0, 0.002]), DUSTY)
    written = export(toy, [box_view(7)], GRID, SkirtSettings(), tmp_path)
    text = written.ski.read_text()
    for part in ('imf="Chabrier"', "<MappingsSEDFamily", 'massFraction="0.3"', "<ZubkoDustMix", 'redshift="0.0485236"'):
        assert part in text
    assert written.rows["stars"] == written.rows["young"] == 1
    view = ElementTree.parse(written.ski).getroot().find(".//FrameInstrument")
    assert [float(view.get(k).split()[0]) for k in ("inclination", "azimuth", "roll")] == pytest.approx([0, 0, 90])


def test_a_lopsided_toy_is_lopsided():
    """The toy of the other tests has no symmetry that would hide a wrong turn or a mirror."""
    position = lopsided().stars.position
    mean = position.mean(axis=0)
    assert len(np.unique(np.round(mean, 1))) == 3 and np.all(mean > 0.5)
