"""Figures of the introduction: a rotation curve, the masses it implies, and the dark mass of many galaxies."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.table import QTable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ..rotation.massmodel import MassModel
from ..rotation.sparc import WITHIN
from ..rotation.sparc_analysis import Scaling
from . import style
from .panels import KMS, RADIUS, STELLAR_MASS, beside, curve, shade, ticks


def rotation_curve(model: MassModel) -> Figure:
    """The rotation curve of a galaxy, and the speeds that its visible matter alone would give.

    To see: the measured speeds stay high where the curves of stars and gas already fall; the difference in quadrature,
    the dark matter, takes over from the centre outwards.
    """
    fig, ax = style.new_figure(width="text", height=4.6)
    r, radius = model.radius, model.radius * u.kpc
    if model.upsilon_range[0] < model.upsilon_range[1]:
        low, high = (model.v_visible(upsilon) for upsilon in model.upsilon_range)
        more, less = (model.v_dark(upsilon) for upsilon in model.upsilon_range)
        for name, lower, upper, role in (
            ("visible", low, high, "literature"),
            ("dark matter", less, more, "dark_matter"),
        ):
            shade(ax, r, np.nan_to_num(lower), upper, role)
            style.plotted(fig, f"{name}, range", radius=radius, low=lower * KMS, high=upper * KMS)
    curves = [
        ("dark matter (missing)", model.v_dark(), style.line("dark_matter", linewidth=2.4)),
        ("visible: stars and gas", model.v_visible(), style.line("literature", linewidth=2.0)),
        ("stars", model.v_stars(), style.line("stars")),
        ("gas", model.v_gas, style.line("gas")),
    ]
    if np.any(model.v_bulge != 0):
        bulge = np.sqrt(model.upsilon_bulge) * model.v_bulge
        curves.append(("of the stars: bulge", bulge, style.line("stars", linewidth=1.0, alpha=0.7)))
    for label, speed, how in curves:
        curve(ax, label, {"radius": radius, "speed": speed * KMS}, how)
    measured = "measured" if model.source is not None else "cold gas of the simulated galaxy"
    columns = {"radius": radius, "speed": model.v_obs * KMS, "error": model.v_err * KMS}
    curve(ax, measured, columns, style.points("observed", zorder=5), bars=True)
    ax.set(xlabel=RADIUS, ylabel="rotation speed [km s$^{-1}$]", title=model.galaxy, xlim=(0, 1.03 * r.max()))
    ax.set_ylim(min(0, 1.1 * model.v_gas.min()), 1.35 * model.v_obs.max())
    top = ax.secondary_xaxis("top", functions=(lambda kpc: kpc / model.r_disk, lambda scale: scale * model.r_disk))
    top.set_xlabel("radius in scale lengths of the stellar disc", fontsize=9.5)
    top.tick_params(labelsize=9)
    handles, labels = ax.get_legend_handles_labels()
    ax.legend([handles[-1], *handles[:-1]], [labels[-1], *labels[:-1]], ncols=2, loc="upper right")
    return fig


def enclosed_mass(model: MassModel) -> Figure:
    """Mass within each radius: dynamical, visible and missing; and the ratio of dynamical to visible mass.

    To see: the two curves of the upper panel separate in the outer disc, where the dynamical mass keeps growing in
    proportion to the radius; the lower panel shows the ratio.
    """
    fig, (top, bottom) = style.new_figure(2, 1, width="text", height=6.2, sharex=True, height_ratios=[2.1, 1])
    r, radius = model.radius, model.radius * u.kpc
    needed, needed_err = model.m_dynamical()
    visible = model.m_visible()
    ratio, ratio_err = model.discrepancy()
    highest = np.nanmax(ratio + ratio_err)
    if model.upsilon_range[0] < model.upsilon_range[1]:
        low, high = (model.m_visible(upsilon) for upsilon in model.upsilon_range)
        most, least = (model.discrepancy(upsilon)[0] for upsilon in model.upsilon_range)
        highest = max(highest, np.nanmax(most[1:]))
        shade(top, r, low, high, "stars")
        shade(bottom, r, least, most, "dark_matter")
        style.plotted(fig, "seen, range", radius=radius, low=low * u.M_sun, high=high * u.M_sun)
        style.plotted(fig, "ratio, range", radius=radius, low=least, high=most)
    for series, label, mass, err, look in (
        ("needed", "needed by the orbits, $V^2R/G$", needed, needed_err, style.points("observed")),
        ("seen", "seen: stars and gas", visible, None, style.line("stars", linestyle="-")),
        ("missing", "missing: dark matter", needed - visible, None, style.line("dark_matter", linewidth=2.2)),
    ):
        errors = {} if err is None else {"error": err * u.M_sun}
        curve(top, series, {"radius": radius, "mass": mass * u.M_sun, **errors}, look, label=label, bars=True)
    flat = needed[-1] * r / r[-1]
    top.plot(r, flat, label=r"a flat curve: $M\propto R$", **style.line("literature", linewidth=1.2))
    top.set(yscale="log", ylabel=r"mass within $R$ [M$_\odot$]", title=model.galaxy)
    top.set_ylim(0.25 * np.min(needed), 2.2 * np.max(needed))
    top.legend(loc="lower right")
    bottom.axhline(1.0, **style.line("baseline"))
    curve(
        bottom, "ratio", {"radius": radius, "ratio": ratio, "error": ratio_err}, style.points("dark_matter"), bars=True
    )
    how = {"ha": "right", "va": "bottom", "fontsize": 9, "color": style.COLOURS["literature"]}
    beside(bottom, "1: the seen mass suffices", (r[-1], 1.0), (0, 3), **how)
    bottom.set(xlabel=RADIUS, ylabel="needed / seen", xlim=(0, 1.03 * r.max()), ylim=(0, 1.05 * highest))
    return fig


def light_and_dark(population: QTable, relation: Scaling, highlight: str = "") -> Figure:
    """Dark mass of many galaxies against their light.

    To see: brighter galaxies have more dark matter, so the line predicts it better than the mean does (dotted);
    galaxies scatter about the line, and at a given luminosity the faster rotators, lighter in colour, lie higher.
    """
    fig, ax = style.new_figure(width="text", height=4.6)
    light, dark = population["light"].value, population["m_dark"].to_value(u.M_sun)
    speed = population["v_flat"].to_value(u.km / u.s)
    measured = population.meta["source"] is not None
    span = np.array([0.7 * light.min(), 1.4 * light.max()])
    slope, pivot, level, scatter = (relation.values[name] for name in ("slope", "pivot", "level", "scatter"))
    line = 10 ** (level + slope * (np.log10(span) - pivot))
    half = 10**scatter
    columns = {key: population[key] for key in ("light", "m_dark", "v_flat")}
    style.plotted(fig, "galaxies", galaxy=np.asarray(population["galaxy"]), **columns)
    look, label = style.line("dark_matter"), "straight line, with its scatter"
    columns = {"light": span * population["light"].unit, "m_dark": line * u.M_sun}
    curve(ax, "line", columns, look, label=label, band=(line / half, line * half))
    ax.axhline(10**level, label="mean, ignoring the light", **style.line("baseline", linewidth=2.2))
    dots = {"cmap": style.SEQUENTIAL, "s": 30, "linewidth": 0.4, "edgecolor": "white", "zorder": 3}
    shown = ax.scatter(light, dark, c=speed, norm=LogNorm(speed.min(), speed.max()), **dots)
    bar = fig.colorbar(shown, ax=ax, label="rotation speed [km s$^{-1}$]", pad=0.02)
    bar.minorticks_off()
    ticks(bar.ax.yaxis, [v for v in (30, 50, 100, 150, 200, 300, 400) if speed.min() <= v <= speed.max()])
    for row in np.flatnonzero(np.asarray(population["galaxy"]) == highlight)[:1]:
        how = {"color": style.COLOURS["accent"], "zorder": 5}
        ax.plot(light[row], dark[row], "o", markersize=11, markerfacecolor="none", markeredgewidth=1.8, **how)
        beside(ax, highlight, (light[row], dark[row]), (12, -14), fontweight="bold", **how)
    xlabel = r"luminosity at 3.6 $\mu$m [L$_\odot$]" if measured else STELLAR_MASS
    ylabel = rf"dark mass{f' within {WITHIN:g} kpc' if measured else ''} [M$_\odot$]"
    ax.set(xscale="log", yscale="log", xlim=span, xlabel=xlabel, ylabel=ylabel)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())
    ax.legend(loc="lower right")
    return fig
