"""One page on one galaxy: maps, rotation curve, mass model, dark mass, and the verdict."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import matplotlib
import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from ..rotation.curve import RotationCurve
from ..rotation.halos import HALOS
from ..rotation.own_galaxy import Analysis
from . import style
from .panels import DENSITY, KMS, RADIUS, note, picture, radius_axis, ticks
from .panels import curve as draw
from .rotation_curves import draw_masses, draw_rings

_SPEED = r"speed [km s$^{-1}$]"

#: Looks of halo models, in the order in which they are fitted.
_LOOKS = ("dark_matter", "accent", "gas", "rotation")


def page(found: Analysis, verdict: str, predicted: np.ndarray | None = None) -> Figure:
    """Everything that was measured on one galaxy, with its caption.

    Parameters
    ----------
    found : Analysis
    verdict : str
        Lines that are printed beside the rotation curve.
    predicted : ndarray, shape (members, 20), optional
        ln M_DM of a network's members [Msun].

    To see: whether the rings follow the measured velocities (first row), whether the two sides agree (second), and
    where halo and visible matter leave no freedom (third).
    """
    models = bool(found.fits) or predicted is not None
    words = fill(caption(found, predicted), 132)
    rows = [3.3, 3.3, *([3.6] if models else []), 0.35 + 0.155 * len(words.splitlines())]
    fig = style.new_figure(width=style.WIDE, height=sum(rows) - 0.65)[0]
    fig.clear()
    parts: Any = fig.subfigures(len(rows), 1, height_ratios=rows)
    fig.suptitle(found.galaxy.name, fontsize=13, fontweight="bold", x=0.02, ha="left")
    _maps(parts[0].subplots(1, 4), found)
    left, right = parts[1].subplots(1, 2, width_ratios=[1.75, 1.0])
    if found.curve is not None:
        _rings(left, found.curve)
    else:
        _empty(left, "no rotation curve")
    right.axis("off")
    lines = [fill(line, 44, subsequent_indent="  ") for line in verdict.splitlines()]
    note(right, 0.0, 1.0, "\n".join(lines), va="top", fontsize=8.2, linespacing=1.35)
    if models:
        left, right = parts[2].subplots(1, 2)
        _mass(left, found)
        _dark(right, found, predicted)
    parts[-1].text(0.02, 0.95, words, va="top", fontsize=8.0, color="#444444", linespacing=1.3)
    return fig


def caption(found: Analysis, predicted: np.ndarray | None = None) -> str:
    """What the page shows, in words."""
    words = [
        f"{found.galaxy.name}, from {found.galaxy.source or 'a simulated cube'}, at {found.galaxy.distance:g} Mpc.",
        "Top: HI surface density with the beam (hatched); velocity about the systemic one, receding red; that of the "
        "fitted tilted rings, blurred by the beam; their difference. North is up, East is left; the ellipse is the "
        "last ring, the line its major axis.",
        "Middle: rotation speed of each ring, corrected for inclination; triangles are the two halves of the disc "
        "alone, open points are flagged, grey is the region within 0.75 beam; the line adds the pressure support of "
        "the gas.",
    ]
    if not found.fits:
        words.append(
            "No halo is fitted to a curve that is not accepted." if found.curve else "No rings could be fitted."
        )
    else:
        words.append(
            "Bottom left: the circular speed (points) and that of gas"
            + ("" if found.upper_limit else ", of stars")
            + " and of each fitted halo alone (dashed, with 68% bands); solid lines are the whole models. Bottom "
            "right: dark mass within each radius with 68% bands, dotted where the curve does not reach"
            + (" (grey: no stars subtracted, an upper limit)." if found.without_stars is not None else ".")
        )
    if found.upper_limit:
        words.append("No stars were given: the halo takes their place, and its mass is an upper limit.")
    if predicted is not None and len(predicted):
        words.append(
            "Triangles: the dark mass, without stars, that a network trained on simulated galaxies predicts, the mean "
            "of its members (thin lines)."
        )
    return " ".join(words)


def _empty(ax: Axes, words: str) -> None:
    ax.axis("off")
    note(ax, 0.5, 0.5, words, ha="center", fontsize=10, color="#666666")


def _maps(axes: np.ndarray, found: Analysis) -> None:
    maps, curve = found.maps, found.curve
    if maps is None:
        for ax in axes:
            _empty(ax, "no emission")
        return
    fig: Any = axes[0].get_figure(root=True)
    x, y = maps.mesh()
    edge = maps.pixel / 2
    extent = (x.min() - edge, x.max() + edge, y.min() - edge, y.max() + edge)
    middle = curve.centre if curve is not None else (float(x[maps.seen].mean()), float(y[maps.seen].mean()))
    half = 1.12 * float(np.hypot(x - middle[0], y - middle[1])[maps.seen].max())
    v_sys = curve.v_sys if curve is not None else float(np.nanmedian(maps.velocity))
    moved = maps.velocity - v_sys
    top = max(20.0, float(np.nanpercentile(np.abs(moved), 98)))
    density = matplotlib.colors.LogNorm(0.02 * np.nanmax(maps.surface_density), np.nanmax(maps.surface_density))
    km_s = r"km s$^{-1}$"
    images: list[tuple] = [
        ("HI", maps.surface_density, {"cmap": style.DENSITY, "norm": density}, r"M$_\odot$ pc$^{-2}$"),
        ("velocity", moved, {"cmap": style.VELOCITY, "low": -top, "high": top}, km_s),
    ]
    if found.model is not None:
        images += [
            ("rings", found.model - v_sys, images[1][2], km_s),
            (
                "velocity less rings",
                maps.velocity - found.model,
                {"cmap": style.VELOCITY, "low": -30, "high": 30},
                km_s,
            ),
        ]
    for ax, (title, values, look, unit) in zip(axes, images, strict=False):
        shown = picture(ax, values, extent=extent, frame=True, **look)
        ax.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
        ax.set_title(title, fontsize=9.5)
        bar = ax.get_figure().colorbar(shown, ax=ax, orientation="horizontal", pad=0.03, shrink=0.92)
        bar.set_label(unit, fontsize=8)
        bar.ax.tick_params(labelsize=7.5)
        if "norm" in look:
            top_density = float(np.nanmax(maps.surface_density))
            ticks(bar.ax.xaxis, [v for v in (0.03, 0.1, 0.3, 1, 3, 10, 30, 100) if 0.02 < v / top_density < 1])
    for ax in axes[len(images) :]:
        _empty(ax, "")
    beam = {"facecolor": "none", "edgecolor": "#222222", "hatch": "/////", "linewidth": 0.8}
    corner = (middle[0] - 0.8 * half, middle[1] - 0.8 * half)
    axes[0].add_patch(Ellipse(corner, maps.beam.major, maps.beam.minor, angle=90 + maps.beam.position_angle, **beam))
    length = float(min((1, 2, 5, 10, 20, 50, 100), key=lambda kpc: abs(kpc - 0.45 * half)))
    left, low = middle[0] + 0.9 * half - length, middle[1] - 0.85 * half
    axes[0].plot([left, left + length], [low, low], color="#222222", linewidth=2)
    axes[0].text(left + length / 2, low + 0.04 * half, f"{length:g} kpc", ha="center", fontsize=7.5)
    if curve is not None:
        reach = curve.radius[-1]
        angle = np.radians(curve.position_angle[-1])
        ends = np.array([-1.0, 1.0]) * reach
        for ax in axes[1:3]:
            ax.plot(middle[0] - ends * np.sin(angle), middle[1] + ends * np.cos(angle), color="#222222", linewidth=0.7)
        minor = 2 * reach * np.cos(np.radians(curve.inclination[-1]))
        for ax in axes[:2]:
            ax.add_patch(
                Ellipse(middle, 2 * reach, minor, angle=90 + np.degrees(angle), fill=False, color="#222222", lw=0.7)
            )
        axes[0].plot(*middle, "+", color="white", markersize=6)
    seen = maps.seen
    columns = {"west": x[seen] * u.kpc, "north": y[seen] * u.kpc, "velocity": maps.velocity[seen] * KMS}
    style.plotted(fig, "maps", **columns, surface_density=maps.surface_density[seen] * DENSITY)


def _rings(ax: Axes, curve: RotationCurve) -> None:
    draw_rings(ax, curve, "circular speed")
    ax.axvspan(0, 0.75 * curve.beam, color="#EEEEEE", linewidth=0)
    highest = float(np.nanmax(curve.v_rot[curve.good] if curve.good.any() else curve.v_rot))
    ax.set(xlabel=RADIUS, ylabel=f"rotation {_SPEED}", xlim=(0, None), ylim=(0, 1.25 * max(highest, 10.0)))
    ax.legend(ncols=2, loc="lower right", fontsize=8)
    columns = {name: getattr(curve, name) * KMS for name in ("v_rot", "v_err", "v_circ")}
    fig = ax.get_figure(root=True)
    assert fig is not None
    style.plotted(fig, "rings", radius=curve.radius * u.kpc, **columns, flag=[flag or "good" for flag in curve.flags])


def _mass(ax: Axes, found: Analysis) -> None:
    mass = found.mass
    if mass is None or not found.fits:
        _empty(ax, "no mass model")
        return
    radius = mass.radius * u.kpc
    columns = {"radius": radius, "speed": mass.v_obs * KMS}
    draw(ax, "measured", columns, style.points("total", marker="o"), bars=mass.v_err)
    draw(ax, "gas", {"radius": radius, "speed": mass.v_gas * KMS}, "gas", linewidth=1.4)
    if not found.upper_limit:
        draw(ax, "stars", {"radius": radius, "speed": mass.v_stars() * KMS}, "stars", linewidth=1.4)
    for (halo, one), look in zip(found.fits.items(), _LOOKS, strict=False):
        low, middle, high = one.v_dark * KMS
        columns = {"radius": radius, "median": middle, "low": low, "high": high}
        line = style.line(look, linestyle="--", linewidth=1.3)
        draw(ax, f"{halo}, dark", columns, line, label=f"{HALOS[halo].label} halo", band=True)
        ax.plot(mass.radius, one.v_model[1], **style.line(look, linestyle="-", linewidth=1.1))
    ax.set(
        xlabel=RADIUS, ylabel=_SPEED, xlim=(0, None), ylim=(min(0.0, float(mass.v_gas.min())), 1.5 * mass.v_obs.max())
    )
    ax.legend(ncols=2, loc="upper left", fontsize=7.5)


def _dark(ax: Axes, found: Analysis, predicted: np.ndarray | None) -> None:
    if not found.fits and predicted is None:
        _empty(ax, "no dark mass")
        return
    radii = next(iter(found.fits.values())).radii if found.fits else np.geomspace(1, 100, 20)
    draw_masses(ax, radii, found.fits, predicted, "{}", "network")
    if (bare := found.without_stars) is not None:
        grey = style.line("baseline", linestyle="-", linewidth=1.2)
        reached = np.where(bare.measured, bare.quantiles[2], np.nan)
        ax.plot(bare.radii, reached, label=f"{HALOS[bare.halo].label}, stars not subtracted", **grey)
    what = "dark mass and stars" if found.upper_limit else "dark mass"
    radius_axis(ax, yscale="log", ylabel=rf"{what} within $R$ [M$_\odot$]")
    ax.legend(loc="lower right", fontsize=8)
