"""Figures of the chapters on rotation curves from simulated and from real HI cubes, and the page on one galaxy."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from ..networks.opinion import FEATURES, Placement
from ..observe.moments import MomentMaps
from ..rotation.curve import INCLINATION_RANGE, RotationCurve
from ..rotation.fit import Fit
from ..rotation.halos import HALOS
from ..rotation.massmodel import MassModel
from ..rotation.own_galaxy import Analysis
from ..rotation.velocity_field import VelocityField
from . import style
from .panels import DENSITY, KMS, RADIUS, grid, note, picture, radius_axis, ticks
from .panels import curve as draw

_SPEED = r"speed [km s$^{-1}$]"

#: Looks of halo models, in the order in which they are fitted.
_LOOKS = ("dark_matter", "accent", "gas", "rotation")


def velocity_field(field: VelocityField, model: np.ndarray, rings: RotationCurve) -> Figure:
    """Measured velocities with the rings, the model velocities, and their difference.

    To see: the model has the spider pattern of the measured field; the residuals are small and structured: streaming,
    spiral arms, noise at the edge.
    """
    fig, axes = style.new_figure(1, 3, height=3.3, sharey=True, ylabel="North [kpc]")
    x, y = field.mesh()
    half = 1.15 * float(np.hypot(x, y)[field.seen & np.isfinite(model)].max())
    v_max = float(np.nanmax(np.abs(model - rings.v_sys)))
    maps = {"measured": field.velocity - rings.v_sys, "rings, blurred": model - rings.v_sys}
    maps["difference"] = field.velocity - model
    for ax, (title, values), limit in zip(axes, maps.items(), (v_max, v_max, 30.0), strict=True):
        shown = ax.imshow(values, extent=_extent(field), cmap=style.VELOCITY, vmin=-limit, vmax=limit)
        ax.set(title=title, xlim=(-half, half), ylim=(-half, half), xlabel="West [kpc]")
        ax.grid(visible=False)
        fig.colorbar(shown, ax=ax, orientation="horizontal", label=r"km s$^{-1}$", shrink=0.9)
    ring = {"fill": False, "edgecolor": "#222222", "linewidth": 0.7}
    for k in range(0, len(rings), 2):
        minor = 2 * rings.radius[k] * np.cos(np.radians(rings.inclination[k]))
        _ellipse(axes[0], rings.centre, 2 * rings.radius[k], minor, rings.position_angle[k], **ring)
    beam = field.beam
    _ellipse(axes[0], (-0.82 * half, -0.82 * half), beam.major, beam.minor, beam.position_angle, color="#444444")
    for name, values in (("measured", field.velocity), ("model", model)):
        here = np.isfinite(values) & np.isfinite(model)
        west, north, speed = x[here] * u.kpc, y[here] * u.kpc, values[here] * KMS
        style.plotted(fig, f"velocity, {name}", west=west, north=north, velocity=speed)
    return fig


def _extent(field: VelocityField) -> tuple[float, ...]:
    """Edges of a map, for `Axes.imshow` [kpc]."""
    half = field.pixel / 2
    return tuple(edge for axis in field.mesh() for edge in (axis.min() - half, axis.max() + half))


def _ellipse(ax: Axes, centre: tuple[float, float], major: float, minor: float, angle: float, **kw: Any) -> None:
    # The angle of matplotlib runs from x (West) towards y (North); the position angle from North towards East (-x).
    ax.add_patch(Ellipse(centre, major, minor, angle=90.0 + angle, **kw))


def curve(
    found: RotationCurve, truth: np.ndarray | None = None, references: Mapping[str, tuple] | None = None
) -> Figure:
    """The rotation curve of a galaxy, from both sides and from each; below, the orientation of the rings.

    Parameters
    ----------
    found : RotationCurve
    truth : ndarray, shape (n,), optional
        Circular velocity at the rings' radii [km/s].
    references : mapping, optional
        Further curves: name -> (radius [kpc], speed [km/s]).

    To see: the two sides agree except for streaming; rings that are flagged (open) lie within the beam or at the edge.
    """
    fig, (top, bottom) = style.new_figure(2, 1, height=5.4, sharex=True, height_ratios=[3.0, 1.3])
    good, radius = found.good, found.radius * u.kpc
    if truth is not None:
        columns = {"radius": radius, "speed": truth * KMS}
        draw(top, "true circular speed", columns, "truth", label="circular speed, true")
    for (name, (r, speed)), dash in zip((references or {}).items(), ("-", style.SHORT, ":"), strict=False):
        columns = {"radius": r * u.kpc, "speed": speed * KMS}
        draw(top, name, columns, "literature", linewidth=1.5, linestyle=dash)
    draw_rings(top, found, "corrected for asymmetric drift")
    highest = max(1.0, *found.v_rot[good], *([] if truth is None else truth))
    top.set(ylabel=_SPEED, ylim=(0, 1.2 * highest))
    top.legend(ncols=2, loc="lower right")
    bottom.plot(found.radius, found.inclination, label="inclination", **style.line("rotation", linestyle="-"))
    turn = np.degrees(np.unwrap(np.radians(found.position_angle)))
    bottom.plot(found.radius, turn - turn[0], label="position angle less that of the first ring", **style.line("gas"))
    bottom.set(xlabel=RADIUS, ylabel="deg", xlim=(0, None), ylim=(-25, 125))
    bottom.legend(loc="upper center", ncols=2)
    speeds = ("v_rot", "v_err", "v_circ", "v_approaching", "v_receding", "dispersion")
    columns = {name: getattr(found, name) * KMS for name in speeds}
    columns |= {name: getattr(found, name) * u.deg for name in ("inclination", "position_angle")}
    style.plotted(fig, "rings", radius=radius, **columns, flag=np.array([flag or "good" for flag in found.flags]))
    return fig


def draw_rings(ax: Axes, found: RotationCurve, corrected: str) -> None:
    """Draw the speeds of both sides, of all rings (open where flagged), and those that are `corrected`."""
    for side, marker, values in (("approaching", "<", found.v_approaching), ("receding", ">", found.v_receding)):
        ax.plot(found.radius, values, label=f"{side} side", **style.points("rotation", marker=marker, markersize=4))
    good, colour = found.good, style.COLOURS["accent"]
    for kept, face, label in ((good, colour, "both sides"), (~good, "white", "flagged")):
        look = style.points("accent", markerfacecolor=face, label=label if kept.any() else None)
        ax.errorbar(found.radius[kept], found.v_rot[kept], found.v_err[kept], **look)
    ax.plot(found.radius[good], found.v_circ[good], color=colour, linewidth=1.2, label=corrected)


def smearing(
    curves: Mapping[float, tuple[RotationCurve, RotationCurve]], radius: np.ndarray, truth: np.ndarray
) -> Figure:
    """Rotation speeds through beams of several widths: classic rings left, rings that model the beam right.

    To see: left, the wider the beam, the slower the centre seems to rotate; right, the curves agree as far in as the
    beam allows.
    """
    fig, axes = style.new_figure(1, 2, height=3.6, sharey=True, ylabel=f"rotation {_SPEED}")
    for k, (ax, title) in enumerate(zip(axes, ("classic rings", "rings that know the beam"), strict=True)):
        ax.plot(radius, truth, label="circular speed, true", **style.line("truth"))
        for (beam, pair), role, marker in zip(curves.items(), ("rotation", "gas", "accent"), "osD", strict=False):
            one, look = pair[k], style.line(role, linestyle="-", marker=marker, linewidth=1.1)
            # The innermost ring is shown although it is flagged; rings at the edge have nothing to do with the beam.
            shown = np.isin(one.flags, ["", "within the beam"])
            ax.plot(one.radius[shown], one.v_rot[shown], label=f"beam {beam:g} arcsec ({one.beam:.1f} kpc)", **look)
            style.plotted(fig, f"{title}, {beam:g} arcsec", radius=one.radius * u.kpc, v_rot=one.v_rot * KMS)
        ax.set(title=title, xlabel=RADIUS, xlim=(0, None), ylim=(0, 1.25 * truth.max()))
    style.plotted(fig, "true circular speed", radius=radius * u.kpc, v_rot=truth * KMS)
    axes[1].legend(loc="lower right")
    return fig


def baryons(model: MassModel, truth: Mapping[str, np.ndarray]) -> Figure:
    """The mass model: measured speeds, contributions of gas and stars, and the missing part; lines are the truth.

    To see: how far the measured stars and gas (points) are from those of the particles (lines), and the effect on the
    missing part.
    """
    fig, ax = style.new_figure(height=4.2)
    zero = np.zeros_like(model.v_obs)
    for key, name, speed, error, role, marker in (
        ("total", "measured", model.v_obs, model.v_err, "total", "o"),
        ("stars", "stars", model.v_stars(), zero, "stars", "s"),
        ("gas", "gas", model.v_gas, zero, "gas", "D"),
        ("dm", "missing", model.v_dark(), zero, "dark_matter", "^"),
    ):
        columns = {"radius": model.radius * u.kpc, "speed": speed * KMS, "true": truth[key] * KMS}
        draw(ax, name, columns, style.points(role, marker=marker), bars=error)
        ax.plot(model.radius, truth[key], **style.line(role, linewidth=1.3))
    if min(model.v_gas.min(), model.v_dark().min(initial=0.0, where=np.isfinite(model.v_dark()))) >= 0:
        ax.set(ylim=(0, None))  # else gas pulls outwards somewhere, or the visible parts are faster than the measured
    ax.set(xlabel=RADIUS, ylabel=_SPEED, xlim=(0, None))
    ax.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.12), frameon=False)
    return fig


def survey(table: QTable) -> Figure:
    """The method over a sample: fitted against true inclination, and the error of the speed against the true one.

    To see: which galaxies pass the quality cuts, and how much of the error is due to the inclination.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.9)
    true, fitted = (table[name].to_value(u.deg) for name in ("inclination", "fitted"))
    errors = {name: np.asarray(table[name]) for name in ("error", "error_perfect")}
    kept = table["reason"] == ""
    for ax, values in ((left, fitted), (right, 100 * errors["error"])):
        ax.plot(true[~kept], values[~kept], label="rejected", **style.points("reject"))
        ax.plot(true[kept], values[kept], label="accepted", **style.points("rotation", marker="o"))
        ax.set(xlabel="true inclination [deg]", xlim=(0, 90))
    left.plot([0, 90], [0, 90], **style.line("baseline"))
    left.axhspan(*INCLINATION_RANGE, color=style.COLOURS["rotation"], alpha=0.1, linewidth=0)
    left.set(ylabel="fitted inclination [deg]", ylim=(0, 90))
    look = style.points("truth", marker="+")
    right.plot(true[kept], 100 * errors["error_perfect"][kept], label="accepted, tilt given", **look)
    right.axhline(0, **style.line("baseline"))
    shown = 100 * np.array([errors["error"], errors["error_perfect"]])[:, kept]
    low, high = (1.1 * float(edge) for edge in (np.nanmin(shown, initial=-45.0), np.nanmax(shown, initial=54.0)))
    right.set(ylabel="error of the circular speed [%]", ylim=(low, high))  # an accepted view is never left out
    right.legend(loc="best")
    style.plotted(fig, "views", inclination=true * u.deg, fitted=fitted * u.deg, **errors, reason=table["reason"])
    return fig


def as_survey(real: MomentMaps, other: MomentMaps) -> Figure:
    """The galaxy's maps as the network receives them, above those of a training view of similar HI mass.

    To see: both rows have the same pixels, beam and noise, so that only the galaxy differs.
    """
    fig, axes = style.new_figure(2, 3, height=5.4)
    rows = (("this galaxy", real), ("a training view", other))
    v_max = max(float(np.nanpercentile(np.abs(maps.velocity), 98)) for _, maps in rows)
    looks = (
        (style.DENSITY, -1.2, 1.3, r"log M$_\odot$ pc$^{-2}$"),
        (style.VELOCITY, -v_max, v_max, r"velocity [km s$^{-1}$]"),
        (style.SEQUENTIAL, 0, 60, r"dispersion [km s$^{-1}$]"),
    )
    for line, (name, maps) in zip(axes, rows, strict=True):
        values = (np.log10(maps.surface_density), maps.velocity, maps.dispersion)
        shown = [
            picture(ax, image, *look[:3], half=45.0, extent=maps.grid.extent)
            for ax, image, look in zip(line, values, looks, strict=True)
        ]
        line[0].set_ylabel(name)
        units = {"surface_density": DENSITY, "velocity": KMS, "dispersion": KMS}
        style.plotted(fig, name, **{key: getattr(maps, key)[maps.seen] * unit for key, unit in units.items()})
    for image, column, (*_, label) in zip(shown, axes.T, looks, strict=True):
        fig.colorbar(image, ax=list(column), orientation="horizontal", label=label, shrink=0.9)
    return fig


def profiles(
    radii: np.ndarray, fits: Mapping[str, Fit], predicted: np.ndarray | None, truth: np.ndarray | None = None
) -> Figure:
    """Dark mass within each radius: mass models with their 68 per cent intervals, and the network's members.

    To see: where they agree within their errors and where not; the network does not use the data of the mass models.
    """
    fig, ax = style.new_figure(height=4.3)
    network = f"network (members: {0 if predicted is None else len(predicted)})"
    draw_masses(ax, radii, fits, predicted, "mass model, {}", network)
    if truth is not None:
        draw(ax, "truth", {"radius": radii * u.kpc, "median": truth * u.Msun}, "truth")
    radius_axis(ax, yscale="log", ylabel=r"dark mass within $R$ [M$_\odot$]")
    ax.legend(loc="lower right")
    return fig


def draw_masses(
    ax: Axes, radii: np.ndarray, fits: Mapping[str, Fit], predicted: np.ndarray | None, halo: str, network: str
) -> None:
    """Draw dark masses of fits, dotted where nothing is measured, and of a network's members; `halo` has a gap."""
    for (name, found), role in zip(fits.items(), _LOOKS, strict=False):
        masses = dict(zip(("low", "median", "high"), found.quantiles[1:4] * u.Msun, strict=True))
        look = style.line(role, linestyle=":", linewidth=1.1)
        draw(ax, name, {"radius": radii * u.kpc, **masses}, look, label="", band=True, ordinate="median")
        measured = np.where(found.measured, found.quantiles[2], np.nan)
        ax.plot(radii, measured, label=halo.format(HALOS[name].label), **style.line(role, linestyle="-"))
    if predicted is not None and len(predicted):
        ax.plot(radii, np.exp(predicted).T, color=style.COLOURS["prediction"], linewidth=0.7, alpha=0.7)
        columns = {"radius": radii * u.kpc, "median": np.exp(predicted.mean(axis=0)) * u.Msun}
        draw(ax, "network, mean", columns, style.points("prediction"), label=network)


#: What the numbers that describe the maps are, with their units, in the order of `FEATURES`.
_FEATURE_LABELS = (
    "log summed density\n[M$_\\odot$ pc$^{-2}$ × pixels]",
    "log area\n[pixels]",
    "share of the HI in\nthe densest 10%",
    "log velocity width\n[km s$^{-1}$]",
    "dispersion\n[km s$^{-1}$]",
    "log peak density\n[M$_\\odot$ pc$^{-2}$]",
    "filled share\nof the circle",
)


def placement(where: Placement) -> Figure:
    """Features of the galaxy's maps (line) among those of the training views (histograms).

    To see: each feature alone may look ordinary while the combination does not; the two distances test the
    combination.
    """
    fig, _, panels = grid(len(FEATURES), 4, 2.35, ylabel="training views")
    for ax, name, label, values, own in zip(panels, FEATURES, _FEATURE_LABELS, where.train.T, where.one, strict=True):
        bins = list(np.linspace(min(values.min(), own), max(values.max(), own) + 1e-9, 25))
        counts, edges, _ = ax.hist(values, bins=bins, color=style.COLOURS["embedded"], alpha=0.6)
        ax.axvline(own, color=style.COLOURS["accent"])
        ax.set(yticks=[])
        ax.set_xlabel(label, fontsize=9)
        style.plotted(fig, name, left=edges[:-1], count=counts, galaxy=float(own))
    return fig


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
    if not found.fits and found.curve:
        words.append("No halo is fitted to a curve that is not accepted.")
    elif not found.fits:
        words.append("No rings could be fitted.")
    else:
        words.append(
            "Bottom left: the circular speed (points) and that of gas"
            + ("" if found.upper_limit else ", of stars")
            + " and of each fitted halo alone (dashed, with 68% bands); solid lines are the whole models. Bottom "
            "right: dark mass within each radius with 68% bands, dotted where the curve does not reach"
            + (" (grey: no stars subtracted, an upper limit)." if found.without_stars is not None else ".")
        )
    if found.galaxy.alone is not None:
        words.append("Dotted: where gas of another galaxy was replaced by that at the other end of the disc.")
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
    x, y = maps.mesh()
    middle = curve.centre if curve is not None else (float(x[maps.seen].mean()), float(y[maps.seen].mean()))
    half = 1.12 * float(np.hypot(x - middle[0], y - middle[1])[maps.seen].max())
    v_sys = curve.v_sys if curve is not None else float(np.nanmedian(maps.velocity))
    fastest = max(20.0, float(np.nanpercentile(np.abs(maps.velocity - v_sys), 98)))
    densest = float(np.nanmax(maps.surface_density))
    images: dict[str, tuple[np.ndarray, Any]] = {
        "HI": (maps.surface_density, {"cmap": style.DENSITY, "norm": LogNorm(0.02 * densest, densest)}),
        "velocity": (maps.velocity - v_sys, {"cmap": style.VELOCITY, "low": -fastest, "high": fastest}),
    }
    if found.model is not None:
        images["rings"] = found.model - v_sys, images["velocity"][1]
        images["velocity less rings"] = maps.velocity - found.model, {"cmap": style.VELOCITY, "low": -30, "high": 30}
    for ax, (title, (values, look)) in zip(axes, images.items(), strict=False):
        shown = picture(ax, values, extent=_extent(maps), frame=True, **look)
        ax.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
        ax.set_title(title, fontsize=9.5)
        bar = ax.get_figure().colorbar(shown, ax=ax, orientation="horizontal", pad=0.03, shrink=0.92)
        bar.set_label(r"M$_\odot$ pc$^{-2}$" if title == "HI" else r"km s$^{-1}$", fontsize=8)
        bar.ax.tick_params(labelsize=7.5)
        if title == "HI":
            ticks(bar.ax.xaxis, [v for v in (0.03, 0.1, 0.3, 1, 3, 10, 30, 100) if 0.02 < v / densest < 1])
    for ax in axes[len(images) :]:
        _empty(ax, "")
    beam = {"facecolor": "none", "edgecolor": "#222222", "hatch": "/////", "linewidth": 0.8}
    corner = (middle[0] - 0.8 * half, middle[1] - 0.8 * half)
    _ellipse(axes[0], corner, maps.beam.major, maps.beam.minor, maps.beam.position_angle, **beam)
    length = float(min((1, 2, 5, 10, 20, 50, 100), key=lambda kpc: abs(kpc - 0.45 * half)))
    left, low = middle[0] + 0.9 * half - length, middle[1] - 0.85 * half
    axes[0].plot([left, left + length], [low, low], color="#222222", linewidth=2)
    axes[0].text(left + length / 2, low + 0.04 * half, f"{length:g} kpc", ha="center", fontsize=7.5)
    if curve is not None:
        angle, reach = np.radians(curve.position_angle[-1]), curve.radius[-1]
        ends = np.array([-1.0, 1.0]) * reach
        for ax in axes[1:3]:
            ax.plot(middle[0] - ends * np.sin(angle), middle[1] + ends * np.cos(angle), color="#222222", linewidth=0.7)
        minor = 2 * reach * np.cos(np.radians(curve.inclination[-1]))
        for ax in axes[:2]:
            _ellipse(ax, middle, 2 * reach, minor, curve.position_angle[-1], fill=False, color="#222222", lw=0.7)
        axes[0].plot(*middle, "+", color="white", markersize=6)
    if found.galaxy.alone is not None and found.galaxy.alone.replaced is not None:
        for ax in axes[:2]:
            ax.contour(x, y, found.galaxy.alone.replaced, [0.5], colors="#222222", linewidths=0.9, linestyles="dotted")
    seen = maps.seen
    columns = {"west": x[seen] * u.kpc, "north": y[seen] * u.kpc, "velocity": maps.velocity[seen] * KMS}
    style.plotted(
        axes[0].get_figure(root=True), "maps", **columns, surface_density=maps.surface_density[seen] * DENSITY
    )


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
