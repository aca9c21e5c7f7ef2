"""The registry of looks, and the parts that figures share."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
from astropy import units as u
from matplotlib.colors import to_rgb
from matplotlib.markers import MarkerStyle

import dmlib.figures
from dmlib.figures import comparison, panels, style


def test_every_look_can_be_drawn():
    fig, ax = style.new_figure()
    for name, look in style.LOOKS.items():
        MarkerStyle(look.marker)
        ax.plot([0, 1], [0, 1], **style.line(name, alpha=0.5))
        ax.plot([0, 1], [1, 0], **style.points(name))
    fig.draw_without_rendering()
    assert style.line("stars", lw=3)["lw"] == 3
    assert style.points("tng")["marker"] == "s"


def test_predictions_find_their_look_and_unknown_ones_have_one():
    assert style.method("C/all") == "C"
    assert style.method("C/hi", "inputs") == "inputs/hi"
    assert style.method("baseline/mean", "inputs") == "baseline/mean"
    assert style.method("ToyNet/all") == "other"
    assert style.method("ToyNet/toy", "inputs") == "other"


def test_looks_of_a_family_differ_in_colour_or_line():
    for family in ("inputs/", "halo/", "comparison/", "baseline/"):
        looks = [(look.colour, look.line) for name, look in style.LOOKS.items() if name.startswith(family)]
        assert len(looks) >= 3 and len(set(looks)) == len(looks)


def test_a_method_looks_the_same_in_every_chapter():
    for here, elsewhere in (
        ("nfw", "halo/nfw"),
        ("nfw_perfect", "halo/nfw"),
        ("burkert", "halo/burkert"),
        ("population", "halo/contracted"),
        ("C/all", "inputs/all"),
        ("C/photometry", "inputs/photometry"),
        ("C/hi", "inputs/hi"),
        ("A/all", "A"),
        ("baseline/mean", "baseline/mean"),
        ("baseline/boosted", "baseline/boosted"),
        ("floor", "floor"),
    ):
        assert comparison.look(here)["color"] == style.COLOURS[elsewhere], here
    # The network with all inputs is C, the architecture that the book uses.
    assert style.COLOURS["inputs/all"] == style.COLOURS["C"] == style.COLOURS["posterior/flow"]
    drawn = {style.LOOKS[name] for name in ("halo/nfw", "halo/burkert", "halo/contracted", "comparison/nfw_lcdm")}
    assert len(drawn | {style.LOOKS["comparison/hybrid"], style.LOOKS["comparison/hybrid_all"]}) == 6


# Viénot, Brettel & Mollon (1999): what is left of linear RGB to those who lack red or green cones.
PROTAN = np.array([[0.1124, 0.8876, 0.0], [0.1124, 0.8876, 0.0], [0.0040, -0.0040, 1.0]])
DEUTAN = np.array([[0.2927, 0.7073, 0.0], [0.2927, 0.7073, 0.0], [-0.0223, 0.0223, 1.0]])


def lightness(rgb):
    """CIE L*a*b* of linear RGB."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    f = np.cbrt(np.clip(xyz / [0.9505, 1.0, 1.089], 0.008856, None))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("cones", [np.eye(3), PROTAN, DEUTAN], ids=["all", "protanopia", "deuteranopia"])
@pytest.mark.parametrize(
    "together",
    [
        ("total", "dark_matter", "stars", "gas"),
        ("embedded", "tng", "literature"),
        ("truth", "prediction", "baseline", "rotation"),
        ("embedded", "alternative", "literature"),
    ],
)
def test_colours_drawn_together_stay_apart(cones, together):
    seen = []
    for role in together:
        linear = np.array(
            [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(style.COLOURS[role])]
        )
        seen.append(lightness(np.clip(cones @ linear, 0, 1)))
    apart = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    # A difference of 10 in L*a*b* is seen at a glance.
    assert min(apart) > 15


RADIUS, VALUE = np.array([1.0, 10.0, 100.0]), np.array([2.0, 3.0, 5.0])


def band_of(ax):
    return sorted(set(np.round(ax.collections[0].get_paths()[0].vertices[:, 1], 6)))


def test_a_curve_is_drawn_and_recorded_without_units():
    fig, ax = style.new_figure()
    panels.curve(ax, "speed", {"radius": RADIUS * u.kpc, "v": VALUE * panels.KMS}, style.line("gas"), label="v")
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.transpose([RADIUS, VALUE]))
    assert ax.get_legend_handles_labels()[1] == ["v"]
    ((series, rows),) = style.recorded(fig)
    assert series == "speed" and list(rows) == ["radius [kpc]", "v [km / s]"]


def test_a_curve_finds_its_band_and_bars_in_the_columns():
    fig, (one, two, three) = style.new_figure(1, 3)
    panels.curve(one, "a", {"x": RADIUS, "low": VALUE - 1, "y": VALUE, "high": VALUE + 2}, style.line("gas"),
                 band=True, ordinate="y")  # fmt: skip
    assert band_of(one) == [1.0, 2.0, 4.0, 5.0, 7.0]
    panels.curve(two, "b", {"x": RADIUS, "y": VALUE, "error": 0.5 * np.ones(3)}, style.line("gas"), band=True)
    assert band_of(two) == [1.5, 2.5, 3.5, 4.5, 5.5]
    panels.curve(three, "c", {"x": RADIUS, "y": VALUE, "error": 0.5 * np.ones(3)}, style.points("gas"), bars=True)
    assert three.containers[0].has_yerr
    assert [series for series, _ in style.recorded(fig)] == ["a", "b", "c"]


def test_panels_of_an_incomplete_row_are_removed():
    fig, axes, cells = panels.grid(5, 3, 1.0)
    assert axes.shape == (2, 3) and len(cells) == len(fig.axes) == 5


def test_axes_show_plain_numbers():
    fig, ax = style.new_figure()
    panels.radius_axis(ax)
    panels.ticks(ax.yaxis, (-0.1, 0, 2), at=lambda value: 10 * value)
    ax.set_ylim(-5, 30)
    fig.draw_without_rendering()
    assert [label.get_text() for label in ax.get_xticklabels()][1:-1] in (["1", "10", "100"], ["10"])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["−0.1", "0", "2"]
    np.testing.assert_allclose(ax.get_yticks(), [-1, 0, 20])


def figure_functions():
    for info in pkgutil.iter_modules(dmlib.figures.__path__):
        module = importlib.import_module(f"dmlib.figures.{info.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and function.__annotations__.get("return") == "Figure":
                yield pytest.param(function, id=f"{info.name}.{name}")


@pytest.mark.parametrize("function", list(figure_functions()))
def test_every_figure_says_what_to_see(function):
    assert "To see: " in inspect.getdoc(function)
