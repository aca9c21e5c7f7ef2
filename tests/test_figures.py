"""Figures: saved with their numbers, the same bytes each time, displayed so that the book can number them."""

from __future__ import annotations

import base64
import csv
import re

import nbformat
import numpy as np
import pytest
from astropy import units as u
from matplotlib.colors import to_rgb
from nbclient import NotebookClient

from dmlib.figures import METADATA_KEY, show, style
from dmlib.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(profile="smoke", build_root=str(tmp_path))


def figure():
    fig, ax = style.new_figure()
    x = np.array([1.0, 2.0, 3.0])
    ax.plot(x, x**2, **style.line("dark_matter"))
    style.plotted(fig, "squares", x=x * u.kpc, y=x**2)
    style.plotted(fig, "label", x_only=5, name="n")
    return fig


def test_a_figure_is_saved_three_times_and_always_the_same(settings):
    contents = []
    for _ in range(2):
        show(figure(), settings, "squares", caption="Squares.", alt="A parabola.")
        contents.append({p.name: p.read_bytes() for p in settings.figures_dir.iterdir()})
    assert set(contents[0]) == {"squares.png", "squares.pdf", "squares.csv"}
    assert contents[0] == contents[1]
    assert b"CreationDate" not in contents[0]["squares.pdf"]


def test_the_plotted_numbers_lie_beside_it(settings):
    show(figure(), settings, "squares", caption="Squares.", alt="A parabola.")
    with open(settings.figures_dir / "squares.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["y"] for row in rows] == ["1", "4", "9", ""]
    assert [row["x [kpc]"] for row in rows] == ["1", "2", "3", ""]
    assert rows[-1] == {"series": "label", "x [kpc]": "", "y": "", "x_only": "5", "name": "n"}


def test_columns_of_a_series_are_of_equal_length():
    fig, _ = style.new_figure()
    with pytest.raises(ValueError, match="equal length"):
        style.plotted(fig, "s", x=[1, 2], y=[1, 2, 3])
    with pytest.raises(ValueError, match="one-dimensional"):
        style.plotted(fig, "s", x=np.zeros((2, 2)))


@pytest.mark.parametrize(
    "fault",
    [{"name": "No Good"}, {"name": "../up"}, {"caption": " "}, {"alt": ""}, {"fig": style.new_figure()[0]}],
)
def test_a_figure_without_name_words_or_numbers_is_refused(settings, fault):
    given = {"fig": figure(), "name": "good", "caption": "Squares.", "alt": "A parabola."} | fault
    with pytest.raises(ValueError):
        show(given.pop("fig"), settings, given.pop("name"), **given)
    assert not settings.figures_dir.exists()


def test_an_unknown_width_is_refused():
    with pytest.raises(ValueError, match="single"):
        style.new_figure(width="huge")


def test_every_role_is_drawn():
    assert set(style.LINES) <= set(style.COLOURS)
    assert set(style.MARKERS) <= set(style.COLOURS)
    assert style.line("stars", lw=3)["lw"] == 3
    assert style.points("tng")["marker"] == "s"


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


def test_a_notebook_shows_picture_and_caption_and_marks_them(settings):
    code = f"""
from dmlib.figures import show, style
from dmlib.settings import Settings
settings = Settings(profile="smoke", build_root={settings.build_root!r})
fig, ax = style.new_figure(width="single")
ax.plot([1, 2], [3, 4])
style.plotted(fig, "line", x=[1, 2], y=[3, 4])
show(fig, settings, "lines", caption="A line, after {{cite:t}}`Rubin1980`.", alt="A rising line.", n=1200)
show(fig, settings, "again", caption="A line.", alt="A rising line.", n="43 radii", source="SPARC")
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    picture, told, other, _ = notebook.cells[0].outputs
    shown = picture.metadata[METADATA_KEY]
    assert shown["figure"] == "lines"
    assert shown["alt"] == picture.metadata["image/png"]["alt"] == "A rising line."
    assert shown["caption"] == (
        "A line, after {cite:t}`Rubin1980`. "
        "*Data: embedded universe (written by dmlib; not TNG), profile smoke; n = 1\u202f200 galaxies.*"
    )
    assert base64.b64decode(picture.data["image/png"]) == (settings.figures_dir / "lines.png").read_bytes()
    assert told.metadata[METADATA_KEY] == {"caption_of": "lines"}
    assert re.match(r"A line, after Rubin1980\.", told.data["text/markdown"])
    assert other.metadata[METADATA_KEY]["caption"] == "A line. *Data: SPARC; 43 radii.*"
