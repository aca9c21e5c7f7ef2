"""Figures of the chapter on rotation curves from HI cubes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy import units as u
from astropy.table import QTable
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from ..rotation.curve import RotationCurve
from ..rotation.massmodel import MassModel
from ..rotation.reasons import INCLINATION_RANGE
from ..rotation.velocity_field import VelocityField
from . import style

_KMS = u.km / u.s


def velocity_field(field: VelocityField, model: np.ndarray, curve: RotationCurve) -> Figure:
    """Measured velocities with the rings, those of the model, and their difference.

    To see: the model has the spider pattern of the measured field; what it leaves is small and has structure of its
    own: streaming, spiral arms, noise at the edge.
    """
    fig, axes = style.new_figure(1, 3, width="wide", height=3.3, sharey=True)
    x, y = field.mesh()
    half = 1.15 * float(np.hypot(x, y)[field.seen & np.isfinite(model)].max())
    off = field.velocity - model
    v_max = float(np.nanmax(np.abs(model - curve.v_sys)))
    extent = (
        x.min() - field.pixel / 2,
        x.max() + field.pixel / 2,
        y.min() - field.pixel / 2,
        y.max() + field.pixel / 2,
    )
    panels = (("measured", field.velocity - curve.v_sys, v_max), ("rings, blurred", model - curve.v_sys, v_max))
    for ax, (title, values, limit) in zip(axes, (*panels, ("difference", off, 30.0)), strict=True):
        shown = ax.imshow(values, extent=extent, cmap=style.VELOCITY, vmin=-limit, vmax=limit)
        ax.set(title=title, xlim=(-half, half), ylim=(-half, half), xlabel="West [kpc]")
        ax.grid(False)
        fig.colorbar(shown, ax=ax, orientation="horizontal", label=r"km s$^{-1}$", shrink=0.9)
    axes[0].set_ylabel("North [kpc]")
    for k in range(0, len(curve), 2):
        _ring(axes[0], curve, k)
    _beam(axes[0], field, half)
    for name, values in (("measured", field.velocity), ("model", model)):
        here = np.isfinite(values) & np.isfinite(model)
        style.plotted(
            fig,
            f"velocity, {name}",
            west=x[here] * u.kpc,
            north=y[here] * u.kpc,
            velocity=values[here] * _KMS,
        )
    return fig


def _ring(ax, curve: RotationCurve, k: int) -> None:
    radius, inclination = curve.radius[k], np.radians(curve.inclination[k])
    # The angle of matplotlib runs from x (West) towards y (North); the position angle from North towards East (-x).
    ellipse = Ellipse(
        curve.centre,
        2 * radius,
        2 * radius * np.cos(inclination),
        angle=90.0 + curve.position_angle[k],
        fill=False,
        edgecolor="#222222",
        linewidth=0.7,
    )
    ax.add_patch(ellipse)


def _beam(ax, field: VelocityField, half: float) -> None:
    beam = field.beam
    centre = (-0.82 * half, -0.82 * half)
    ax.add_patch(Ellipse(centre, beam.major, beam.minor, angle=90.0 + beam.position_angle, color="#444444"))


def curve(
    found: RotationCurve, truth: np.ndarray | None = None, references: Mapping[str, tuple] | None = None
) -> Figure:
    """The rotation curve of a galaxy, from both sides and from each; below, the tilt of the rings.

    Parameters
    ----------
    found : RotationCurve
    truth : ndarray, shape (n,), optional
        Circular speed at the rings' radii [km/s].
    references : mapping, optional
        Further curves: name -> (radius [kpc], speed [km/s]).

    To see: the two sides agree but for streaming; rings that are flagged (open) lie within the beam or at the edge.
    """
    fig, axes = style.new_figure(2, 1, width="text", height=5.4, sharex=True, gridspec_kw={"height_ratios": [3.0, 1.3]})
    top, bottom = axes
    good = found.good
    if truth is not None:
        top.plot(found.radius, truth, label="circular speed, true", **style.line("truth"))
        style.plotted(fig, "true circular speed", radius=found.radius * u.kpc, speed=truth * _KMS)
    for (name, (radius, speed)), dashes in zip((references or {}).items(), ("-", (0, (4, 2)), ":"), strict=False):
        top.plot(radius, speed, label=name, color=style.COLOURS["literature"], linewidth=1.5, linestyle=dashes)
        style.plotted(fig, name, radius=radius * u.kpc, speed=speed * _KMS)
    for side, marker, values in (("approaching", "<", found.v_approaching), ("receding", ">", found.v_receding)):
        top.plot(found.radius, values, marker, color=style.COLOURS["rotation"], label=f"{side} side", markersize=4)
    colour = style.COLOURS["accent"]
    for kept, face, label in ((good, colour, "both sides"), (~good, "white", "flagged")):
        top.errorbar(
            found.radius[kept],
            found.v_rot[kept],
            found.v_err[kept],
            fmt="o",
            color=colour,
            markerfacecolor=face,
            label=label if kept.any() else None,
        )
    top.plot(found.radius[good], found.v_circ[good], color=colour, linewidth=1.2, label="with asymmetric drift")
    highest = max(found.v_rot[good].max(initial=1.0), 0.0 if truth is None else float(np.max(truth)))
    top.set(ylabel=r"speed [km s$^{-1}$]", ylim=(0, 1.2 * highest))
    top.legend(ncols=2, loc="lower right")
    bottom.plot(found.radius, found.inclination, label="inclination", **style.line("rotation", linestyle="-"))
    turn = np.degrees(np.unwrap(np.radians(found.position_angle)))
    bottom.plot(found.radius, turn - turn[0], label="position angle less that of the first ring", **style.line("gas"))
    bottom.set(xlabel="radius [kpc]", ylabel="deg", xlim=(0, None), ylim=(-25, 125))
    bottom.legend(loc="upper center", ncols=2)
    style.plotted(
        fig,
        "rings",
        radius=found.radius * u.kpc,
        v_rot=found.v_rot * _KMS,
        v_err=found.v_err * _KMS,
        v_circ=found.v_circ * _KMS,
        v_approaching=found.v_approaching * _KMS,
        v_receding=found.v_receding * _KMS,
        dispersion=found.dispersion * _KMS,
        inclination=found.inclination * u.deg,
        position_angle=found.position_angle * u.deg,
        flag=np.array([flag or "good" for flag in found.flags]),
    )
    return fig


def smearing(
    curves: Mapping[float, tuple[RotationCurve, RotationCurve]], radius: np.ndarray, truth: np.ndarray
) -> Figure:
    """Rotation speeds through beams of several widths: classic rings left, rings that know the beam right.

    To see: left, the wider the beam, the slower the centre seems to turn; right, the curves lie together as far in as
    the beam allows.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.6, sharey=True)
    colours = (style.COLOURS["rotation"], style.COLOURS["gas"], style.COLOURS["accent"])
    for k, (ax, title) in enumerate(zip(axes, ("classic rings", "rings that know the beam"), strict=True)):
        ax.plot(radius, truth, label="circular speed, true", **style.line("truth"))
        for (beam, pair), colour, marker in zip(curves.items(), colours, "osD", strict=False):
            one = pair[k]
            label = f"beam {beam:g} arcsec ({one.beam:.1f} kpc)"
            # The innermost ring is flagged and shown; rings at the edge are not the beam's story.
            shown = np.array([flag in ("", "within the beam") for flag in one.flags])
            ax.plot(one.radius[shown], one.v_rot[shown], marker=marker, color=colour, linewidth=1.1, label=label)
            style.plotted(fig, f"{title}, {beam:g} arcsec", radius=one.radius * u.kpc, v_rot=one.v_rot * _KMS)
        ax.set(title=title, xlabel="radius [kpc]", xlim=(0, None), ylim=(0, 1.25 * truth.max()))
    style.plotted(fig, "true circular speed", radius=radius * u.kpc, v_rot=truth * _KMS)
    axes[0].set_ylabel(r"rotation speed [km s$^{-1}$]")
    axes[1].legend(loc="lower right")
    return fig


def baryons(model: MassModel, truth: Mapping[str, np.ndarray]) -> Figure:
    """The mass model: what was measured, what gas and stars would give, and what is missing; lines are the truth.

    To see: how far the weighed stars and gas (points) are from what the particles give (lines), and what that does to
    the missing part.
    """
    fig, ax = style.new_figure(width="text", height=4.2)
    parts = (
        ("total", "measured", model.v_obs, "total", "o"),
        ("stars", "stars", model.v_stars(), "stars", "s"),
        ("gas", "gas", model.v_gas, "gas", "D"),
        ("dm", "missing", model.v_dark(), "dark_matter", "^"),
    )
    for key, name, speed, role, marker in parts:
        colour = style.COLOURS[role]
        err = model.v_err if key == "total" else None
        ax.errorbar(model.radius, speed, err, fmt=marker, color=colour, label=name)
        ax.plot(model.radius, truth[key], **style.line(role, linewidth=1.3))
        style.plotted(fig, name, radius=model.radius * u.kpc, speed=speed * _KMS, true=truth[key] * _KMS)
    ax.set(xlabel="radius [kpc]", ylabel=r"speed [km s$^{-1}$]", ylim=(0, None), xlim=(0, None))
    ax.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.12), frameon=False)
    return fig


def survey(table: QTable) -> Figure:
    """The method over a sample: fitted against true inclination, and the error of the speed against the true one.

    To see: which galaxies the method stands by, and what of the error is the inclination's.
    """
    fig, axes = style.new_figure(1, 2, width="wide", height=3.9)
    left, right = axes
    true, fitted = table["inclination"].to_value(u.deg), table["fitted"].to_value(u.deg)
    kept = np.asarray(table["reason"]) == ""
    error = 100 * np.asarray(table["error"])
    low, high = INCLINATION_RANGE
    for ax, values in ((left, fitted), (right, error)):
        ax.plot(true[~kept], values[~kept], "x", color=style.COLOURS["reject"], label="rejected")
        ax.plot(true[kept], values[kept], "o", color=style.COLOURS["rotation"], label="accepted")
        ax.set(xlabel="true inclination [deg]", xlim=(0, 90))
    left.plot([0, 90], [0, 90], **style.line("baseline"))
    left.axhspan(low, high, color=style.COLOURS["rotation"], alpha=0.1, linewidth=0)
    left.set(ylabel="fitted inclination [deg]", ylim=(0, 90))
    perfect = 100 * np.asarray(table["error_perfect"])
    right.plot(true[kept], perfect[kept], "+", color=style.COLOURS["truth"], label="accepted, tilt given")
    right.axhline(0, **style.line("baseline"))
    right.set(ylabel="error of the circular speed [%]", ylim=(-50, 60))
    right.legend(loc="upper right")
    style.plotted(
        fig,
        "views",
        inclination=table["inclination"],
        fitted=table["fitted"],
        error=np.asarray(table["error"]),
        error_perfect=np.asarray(table["error_perfect"]),
        reason=np.asarray(table["reason"]),
    )
    return fig
