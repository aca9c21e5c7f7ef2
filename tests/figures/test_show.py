"""Figures: saved with their numbers, the same bytes each time, displayed so that the book can number them."""

from __future__ import annotations

import base64
import csv
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u

from dmlib.bootstrap import Estimate
from dmlib.figures import METADATA_KEY, show, style
from dmlib.figures.panels import curve
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


def test_a_figure_is_drawn_once_for_each_picture(settings, monkeypatch):
    """Matplotlib draws a figure that has a layout engine twice; what it drew first is not used."""
    drawn, fig = [], figure()
    (curve,) = fig.axes[0].lines
    monkeypatch.setattr(curve, "draw", lambda renderer: drawn.append(type(renderer).__name__))
    show(fig, settings, "squares", caption="Squares.", alt="A parabola.")
    assert len(drawn) == 2


def test_an_estimate_is_drawn_and_recorded_with_its_error():
    fig, ax = style.new_figure()
    found = Estimate(np.array([2.0, 4.0]), np.array([0.1, 0.2]), np.array([1.0, 3.0]), np.array([3.0, 5.0]))
    curve(ax, "mean", {"radius": np.array([1.0, 10.0]) * u.kpc, "mean": found, "galaxies": 7}, "C", band=True)
    assert style.csv_text(fig).splitlines()[:2] == ["series,radius [kpc],mean,error,galaxies", "mean,1,2,0.1,7"]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), found.value)
    edges = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == (1.0, 5.0)


def test_the_plotted_numbers_are_written_beside_it(settings):
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


def test_a_notebook_shows_picture_and_caption_and_marks_them(settings, monkeypatch):
    published = []
    shell = SimpleNamespace(display_pub=SimpleNamespace(publish=lambda **output: published.append(output)))
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    told = {"caption": "A line, after {cite:t}`Rubin1980`.", "alt": "A rising line."}
    show(figure(), settings, "lines", **told, n=1200)
    show(figure(), settings, "again", **told | {"caption": "A line."}, n="43 radii", source="SPARC")
    picture, caption, other, _ = published
    shown = picture["metadata"][METADATA_KEY]
    assert shown["figure"] == "lines"
    assert shown["alt"] == picture["metadata"]["image/png"]["alt"] == "A rising line."
    assert shown["caption"].startswith("A line, after {cite:t}`Rubin1980`. *Data: embedded universe")
    assert shown["caption"].endswith(", profile smoke; n = 1\u202f200 galaxies.*")
    assert base64.b64decode(picture["data"]["image/png"]) == (settings.figures_dir / "lines.png").read_bytes()
    assert caption["metadata"][METADATA_KEY] == {"caption_of": "lines"}
    assert caption["data"]["text/markdown"].startswith("A line, after Rubin1980.")
    assert other["metadata"][METADATA_KEY]["caption"] == "A line. *Data: SPARC; 43 radii.*"
