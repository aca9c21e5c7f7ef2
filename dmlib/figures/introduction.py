"""Figures of the introduction: a rotation curve, the masses it implies, and the dark mass of many galaxies."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.table import QTable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ..rotation.massmodel import MassModel
from ..rotation.sparc_sample import WITHIN, Relation
from . import style


def rotation_curve(model: MassModel) -> Figure:
    """The rotation curve of a galaxy and what its visible parts alone would give.

    To see: the measured speeds stay level where the curves of stars and gas have long begun to fall; what has to be
    added in squares, the dark matter, takes over from the inside outwards.
    """
    fig, ax = style.new_figure(width="text", height=4.6)
    r = model.radius
    visible, dark = model.v_visible(), model.v_dark()
    bounds = model.upsilon_range
    if bounds[0] < bounds[1]:
        low, high = (model.v_visible(upsilon) for upsilon in bounds)
        ax.fill_between(r, low, high, color=style.COLOURS["literature"], alpha=0.18, linewidth=0)
        more, less = (model.v_dark(upsilon) for upsilon in bounds)
        ax.fill_between(r, np.nan_to_num(less), more, color=style.COLOURS["dark_matter"], alpha=0.13, linewidth=0)
        style.plotted(fig, "visible, range", radius=r * u.kpc, low=low * u.km / u.s, high=high * u.km / u.s)
        style.plotted(fig, "dark matter, range", radius=r * u.kpc, low=less * u.km / u.s, high=more * u.km / u.s)
    curves = [
        ("dark matter (missing)", dark, style.line("dark_matter", linewidth=2.4)),
        ("visible: stars and gas", visible, style.line("literature", linewidth=2.0)),
        ("stars", model.v_stars(), style.line("stars")),
        ("gas", model.v_gas, style.line("gas")),
    ]
    if np.any(model.v_bulge != 0):
        bulge = np.sqrt(model.upsilon_bulge) * model.v_bulge
        curves.append(("of the stars: bulge", bulge, style.line("stars", linewidth=1.0, alpha=0.7)))
    for label, speed, how in curves:
        ax.plot(r, speed, label=label, **how)
        style.plotted(fig, label, radius=r * u.kpc, speed=speed * u.km / u.s)
    measured = "measured" if model.source is not None else "cold gas of the simulated galaxy"
    ax.errorbar(r, model.v_obs, yerr=model.v_err, label=measured, zorder=5, **style.points("observed"))
    style.plotted(fig, measured, radius=r * u.kpc, speed=model.v_obs * u.km / u.s, error=model.v_err * u.km / u.s)
    ax.set(
        xlabel="radius $R$ [kpc]",
        ylabel="rotation speed [km s$^{-1}$]",
        xlim=(0, 1.03 * r.max()),
        ylim=(min(0, 1.1 * model.v_gas.min()), 1.35 * model.v_obs.max()),
        title=model.galaxy,
    )
    top = ax.secondary_xaxis("top", functions=(lambda kpc: kpc / model.r_disk, lambda scale: scale * model.r_disk))
    top.set_xlabel("radius in scale lengths of the stellar disc", fontsize=9.5)
    top.tick_params(labelsize=9)
    handles, labels = ax.get_legend_handles_labels()
    ax.legend([handles[-1], *handles[:-1]], [labels[-1], *labels[:-1]], ncols=2, loc="upper right")
    return fig


def enclosed_mass(model: MassModel) -> Figure:
    """Mass within each radius: what the orbits need, what is seen, what is missing; and the ratio of need to seen.

    To see: the two curves of the upper panel part company in the outer disc, where the needed mass goes on growing in
    proportion to the radius; the lower panel says by which factor.
    """
    fig, (top, bottom) = style.new_figure(
        2, 1, width="text", height=6.2, sharex=True, gridspec_kw={"height_ratios": [2.1, 1]}
    )
    r = model.radius
    needed, needed_err = model.m_dynamical()
    visible = model.m_visible()
    ratio, ratio_err = model.discrepancy()
    highest = np.nanmax(ratio + ratio_err)
    bounds = model.upsilon_range
    if bounds[0] < bounds[1]:
        low, high = (model.m_visible(upsilon) for upsilon in bounds)
        top.fill_between(r, low, high, color=style.COLOURS["stars"], alpha=0.2, linewidth=0)
        most, least = (model.discrepancy(upsilon)[0] for upsilon in bounds)
        highest = max(highest, np.nanmax(most[1:]))
        bottom.fill_between(r, least, most, color=style.COLOURS["dark_matter"], alpha=0.15, linewidth=0)
        style.plotted(fig, "seen, range", radius=r * u.kpc, low=low * u.M_sun, high=high * u.M_sun)
        style.plotted(fig, "ratio, range", radius=r * u.kpc, low=least, high=most)
    top.errorbar(r, needed, yerr=needed_err, label="needed by the orbits, $V^2R/G$", **style.points("observed"))
    top.plot(r, visible, label="seen: stars and gas", **style.line("stars", linestyle="-"))
    top.plot(r, needed - visible, label="missing: dark matter", **style.line("dark_matter", linewidth=2.2))
    flat = needed[-1] * r / r[-1]
    top.plot(r, flat, label=r"a flat curve: $M\propto R$", **style.line("literature", linewidth=1.2))
    top.set(yscale="log", ylabel=r"mass within $R$ [M$_\odot$]", title=model.galaxy)
    top.set_ylim(0.25 * np.min(needed), 2.2 * np.max(needed))
    top.legend(loc="lower right")
    bottom.axhline(1.0, **style.line("baseline"))
    bottom.errorbar(r, ratio, yerr=ratio_err, **style.points("dark_matter", marker="o"))
    bottom.annotate("1: the seen mass suffices", (r[-1], 1.0), xytext=(0, 3), textcoords="offset points", ha="right",
                    va="bottom", fontsize=9, color=style.COLOURS["literature"])  # fmt: skip
    bottom.set(xlabel="radius $R$ [kpc]", ylabel="needed / seen", xlim=(0, 1.03 * r.max()))
    bottom.set_ylim(0, 1.05 * highest)
    style.plotted(fig, "needed", radius=r * u.kpc, mass=needed * u.M_sun, error=needed_err * u.M_sun)
    style.plotted(fig, "seen", radius=r * u.kpc, mass=visible * u.M_sun)
    style.plotted(fig, "missing", radius=r * u.kpc, mass=(needed - visible) * u.M_sun)
    style.plotted(fig, "ratio", radius=r * u.kpc, ratio=ratio, error=ratio_err)
    return fig


def light_and_dark(population: QTable, relation: Relation, highlight: str = "") -> Figure:
    """Dark mass of many galaxies against their light.

    To see: brighter galaxies have more dark matter, so that the line predicts it better than their mean does (dotted);
    about the line they still scatter, and at one luminosity the faster rotators, lighter in colour, lie higher.
    """
    fig, ax = style.new_figure(width="text", height=4.6)
    light, dark = population["light"].value, population["m_dark"].to_value(u.M_sun)
    speed = population["v_flat"].to_value(u.km / u.s)
    measured = population.meta["source"] is not None
    span = np.array([0.7 * light.min(), 1.4 * light.max()])
    line = 10 ** (relation.level + relation.slope * (np.log10(span) - relation.pivot))
    half = 10**relation.scatter
    ax.fill_between(span, line / half, line * half, color=style.COLOURS["dark_matter"], alpha=0.10, linewidth=0)
    ax.plot(span, line, label="straight line, with its scatter", **style.line("dark_matter"))
    ax.axhline(10**relation.level, label="mean: knowing nothing", **style.line("baseline", linewidth=2.2))
    shown = ax.scatter(
        light, dark, c=speed, cmap=style.SEQUENTIAL, s=30, linewidth=0.4, edgecolor="white", zorder=3,
        norm=LogNorm(speed.min(), speed.max()),
    )  # fmt: skip
    bar = fig.colorbar(shown, ax=ax, label="rotation speed [km s$^{-1}$]", pad=0.02)
    ticks = [v for v in (30, 50, 100, 150, 200, 300, 400) if speed.min() <= v <= speed.max()]
    bar.set_ticks(ticks, labels=[str(v) for v in ticks])
    bar.minorticks_off()
    chosen = np.flatnonzero(np.asarray(population["galaxy"]) == highlight)
    if len(chosen):
        at = (light[chosen[0]], dark[chosen[0]])
        how = {"color": style.COLOURS["accent"], "zorder": 5}
        ax.plot(*at, "o", markersize=11, markerfacecolor="none", markeredgewidth=1.8, **how)
        ax.annotate(highlight, at, xytext=(12, -14), textcoords="offset points", fontweight="bold", **how)
    ax.set(
        xscale="log",
        yscale="log",
        xlim=span,
        xlabel=r"luminosity at 3.6 $\mu$m [L$_\odot$]" if measured else r"stellar mass [M$_\odot$]",
        ylabel=rf"dark mass{f' within {WITHIN:g} kpc' if measured else ''} [M$_\odot$]",
    )
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.legend(loc="lower right")
    style.plotted(
        fig, "galaxies", galaxy=np.asarray(population["galaxy"]), light=population["light"],
        m_dark=population["m_dark"], v_flat=population["v_flat"],
    )  # fmt: skip
    style.plotted(fig, "line", light=span * population["light"].unit, m_dark=line * u.M_sun)
    return fig
