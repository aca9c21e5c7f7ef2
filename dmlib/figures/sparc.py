"""Figures of the chapters on measured rotation curves: the introduction, and the mass models of SPARC."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy import units as u
from astropy.table import QTable
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ..rotation.fit import Fit
from ..rotation.halos import HALOS
from ..rotation.massmodel import MassModel
from ..rotation.priors import CONCENTRATION_SCATTER, STELLAR_SCATTER, log_concentration, log_stellar_mass
from ..rotation.sparc import WITHIN, CurveSample
from ..rotation.sparc_analysis import Accelerations, SampleFits, Scaling, expected_acceleration
from . import style
from .panels import KMS, RADIUS, STELLAR_MASS, beside, curve, note, shade, ticks


def rotation_curve(model: MassModel) -> Figure:
    """The rotation curve of a galaxy, and the speeds that its visible matter alone would give.

    To see: the measured speeds stay high where the curves of stars and gas already fall; the difference in quadrature,
    the dark matter, takes over from the centre outwards.
    """
    fig, ax = style.new_figure(height=4.6)
    r, radius = model.radius, model.radius * u.kpc
    light, heavy = model.upsilon_range
    if light < heavy:
        for name, speed, ends, role in (
            ("visible", model.v_visible, (light, heavy), "literature"),
            ("dark matter", model.v_dark, (heavy, light), "dark_matter"),
        ):
            low, high = (speed(upsilon) for upsilon in ends)
            shade(ax, r, np.nan_to_num(low), high, role)
            style.plotted(fig, f"{name}, range", radius=radius, low=low * KMS, high=high * KMS)
    curves = {
        "dark matter (missing)": (model.v_dark(), style.line("dark_matter", linewidth=2.4)),
        "visible: stars and gas": (model.v_visible(), style.line("literature", linewidth=2.0)),
        "stars": (model.v_stars(), style.line("stars")),
        "gas": (model.v_gas, style.line("gas")),
    }
    if np.any(model.v_bulge != 0):
        bulge = np.sqrt(model.upsilon_bulge) * model.v_bulge
        curves["of the stars: bulge"] = bulge, style.line("stars", linewidth=1.0, alpha=0.7)
    for label, (v, look) in curves.items():
        curve(ax, label, {"radius": radius, "speed": v * KMS}, look)
    _measured(ax, model, "measured" if model.source is not None else "cold gas of the simulated galaxy")
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

    To see: the two curves of the upper panel separate in the outer disc, where the dynamical mass grows about in
    proportion to the radius; the lower panel shows the ratio.
    """
    fig, (top, bottom) = style.new_figure(2, 1, height=6.2, sharex=True, height_ratios=[2.1, 1])
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
    for label, mass, errors, look in (
        ("needed by the orbits, $V^2R/G$", needed, {"error": needed_err * u.M_sun}, style.points("observed")),
        ("seen: stars and gas", visible, {}, style.line("stars", linestyle="-")),
        ("missing: dark matter", needed - visible, {}, style.line("dark_matter", linewidth=2.2)),
    ):
        columns, series = {"radius": radius, "mass": mass * u.M_sun, **errors}, label.split(":")[0].split()[0]
        curve(top, series, columns, look, label=label, bars=True)
    flat = needed[-1] * r / r[-1]
    top.plot(r, flat, label=r"a flat curve: $M\propto R$", **style.line("literature", linewidth=1.2))
    top.set(yscale="log", ylabel=r"mass within $R$ [M$_\odot$]", title=model.galaxy)
    top.set_ylim(0.25 * np.min(needed), 2.2 * np.max(needed))
    top.legend(loc="lower right")
    bottom.axhline(1.0, **style.line("baseline"))
    columns = {"radius": radius, "ratio": ratio, "error": ratio_err}
    curve(bottom, "ratio", columns, style.points("dark_matter"), bars=True)
    how = {"ha": "right", "va": "bottom", "fontsize": 9, "color": style.COLOURS["literature"]}
    beside(bottom, "1: the seen mass suffices", (r[-1], 1.0), (0, 3), **how)
    bottom.set(xlabel=RADIUS, ylabel="needed / seen", xlim=(0, 1.03 * r.max()), ylim=(0, 1.05 * highest))
    return fig


def light_and_dark(population: QTable, relation: Scaling, highlight: str) -> Figure:
    """Dark mass of many galaxies against their light.

    To see: brighter galaxies have more dark matter, so the line predicts it better than the mean does (dotted);
    galaxies scatter about the line, and at a given luminosity the faster rotators, lighter in colour, lie higher.
    """
    fig, ax = style.new_figure(height=4.6)
    columns = {key: population[key] for key in ("light", "m_dark", "v_flat")}
    light, dark, speed = (column.value for column in columns.values())
    measured = population.meta["source"] is not None
    span = np.array([0.7 * light.min(), 1.4 * light.max()])
    slope, pivot, level, scatter = (relation.values[name] for name in ("slope", "pivot", "level", "scatter"))
    line = 10 ** (level + slope * (np.log10(span) - pivot))
    half = 10**scatter
    style.plotted(fig, "galaxies", galaxy=np.asarray(population["galaxy"]), **columns)
    columns = {"light": span * population["light"].unit, "m_dark": line * u.M_sun}
    curve(ax, "line", columns, "dark_matter", label="straight line, with its scatter", band=(line / half, line * half))
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


def decomposition(model: MassModel, fits: Mapping[str, Fit]) -> Figure:
    """A rotation curve with the fits of several halo models, and their residuals.

    To see: models that follow the points at large radii may differ in the centre, where cusps and cores differ and
    where the stars matter most; the lower panel shows the residuals in units of the measurement error.
    """
    fig, (top, bottom) = style.new_figure(2, 1, height=5.8, sharex=True, height_ratios=[2.4, 1])
    r, radius = model.radius, model.radius * u.kpc
    for name, fit in fits.items():
        look, (low, middle, high) = style.line(f"halo/{name}"), fit.v_model
        pull = (model.v_obs - middle) / model.v_err
        speeds = {"low": low * KMS, "speed": middle * KMS, "high": high * KMS, "halo": fit.v_dark[1] * KMS}
        columns = {"radius": radius, **speeds, "residual_in_errors": pull}
        curve(top, name, columns, look, label=HALOS[name].label, band=True, ordinate="speed")
        top.plot(r, fit.v_dark[1], **look | {"linewidth": 1.0})
        bottom.plot(r, pull, marker="o", markersize=3, **look)
    visible = model.v_visible()
    top.plot(r, visible, label="stars and gas, nominal", **style.line("literature"))
    _measured(top, model, "measured")
    style.plotted(fig, "visible", radius=radius, speed=visible * KMS)
    top.set(ylabel="rotation speed [km s$^{-1}$]", ylim=(0, 1.3 * model.v_obs.max()), title=model.galaxy)
    top.legend(ncols=3, loc="upper left", fontsize=8.5)
    bottom.axhline(0, **style.line("baseline"))
    bottom.set(xlabel=RADIUS, ylabel="(measured − model)\n/ error", xlim=(0, 1.03 * r.max()))
    return fig


def _measured(ax: Axes, model: MassModel, label: str) -> None:
    """Draw the measured speeds of a galaxy."""
    columns = {"radius": model.radius * u.kpc, "speed": model.v_obs * KMS, "error": model.v_err * KMS}
    curve(ax, label, columns, style.points("observed", zorder=5), bars=True)


def enclosed(model: MassModel, fits: Mapping[str, Fit]) -> Figure:
    """Dark mass within the twenty radii with credible intervals; measured radii are shaded.

    To see: where the curve is measured the models agree within their intervals; further out, where nothing is
    measured, the intervals widen and the models diverge.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.7)
    first = next(iter(fits.values()))
    for ax in (left, right):
        ax.axvspan(model.radius[0], model.radius[-1], color=style.COLOURS["reject"], alpha=0.25, linewidth=0)
        ax.set(xscale="log", yscale="log", xlabel=RADIUS, xlim=(0.9, 110))
    for name, fit in fits.items():
        look, q = style.line(f"halo/{name}"), fit.quantiles
        masses = {f"q{p}": row * u.M_sun for p, row in zip((2.5, 16, 50, 84, 97.5), q, strict=True)}
        columns = {"radius": fit.radii * u.kpc, "measured": fit.measured, **masses}
        curve(left, name, columns, look, label=HALOS[name].label, band=(q[0], q[4]), ordinate="q50")
        right.plot(fit.radii, q[2] / first.m_dm, **look)
        for low, high, alpha in ((0, 4, 0.12), (1, 3, 0.25)):
            shade(right, fit.radii, q[low] / first.m_dm, q[high] / first.m_dm, look["color"], alpha=alpha)
    left.set(ylabel=r"dark mass within $R$ [M$_\odot$]", title="95 per cent intervals")
    right.set(ylabel=f"over the median of {HALOS[first.halo].label}", title="68 and 95 per cent", ylim=(0.2, 5))
    ticks(right.yaxis, (0.2, 0.5, 1, 2, 5))
    left.legend(loc="lower right")
    x, y = 1.1 * max(model.radius[0], 1.0), 0.4 * left.get_ylim()[1]
    left.text(x, y, "measured", fontsize=9, color=style.COLOURS["literature"])
    return fig


def cusp_or_core(survey: CurveSample, fits: SampleFits) -> Figure:
    """Evidence for a core against a cusp, of each galaxy, against its baryonic mass.

    To see: outside the grey band the curve of a galaxy favours one model; within it the data do not decide.
    """
    fig, (ax, side) = style.new_figure(1, 2, height=3.8, sharey=True, width_ratios=[2.6, 1])
    ln_b, settled = fits.log_bayes, fits.settled
    known = np.isfinite(ln_b)
    m_bar = survey.table["m_bar"].to_value(u.Msun)
    squeezed = np.arcsinh(ln_b / 3)
    for which, role, label in ((settled, "observed", "converged"), (~settled, "reject", "not converged")):
        if (rows := known & which).any():
            ax.plot(m_bar[rows], squeezed[rows], label=label, **style.points(role, markersize=4))
    side.hist(squeezed[known], bins=25, orientation="horizontal", color=style.COLOURS["embedded"], alpha=0.8)
    for panel in (ax, side):
        panel.axhspan(-np.arcsinh(1), np.arcsinh(1), color=style.COLOURS["reject"], alpha=0.3, linewidth=0)
    values = [t for t in (-100, -30, -10, -3, 0, 3, 10, 30, 100) if abs(t) <= 1.3 * np.nanmax(np.abs(ln_b))]
    ticks(ax.yaxis, values, at=lambda value: np.arcsinh(value / 3))
    ax.set(xscale="log", xlabel=r"baryonic mass [M$_\odot$]", ylabel="ln evidence, Burkert over NFW")
    note(ax, 0.02, 0.97, "core", va="top", fontweight="bold")
    note(ax, 0.02, 0.03, "cusp", va="bottom", fontweight="bold")
    ax.legend(loc="upper right")
    side.set(xlabel="galaxies")
    columns = {"m_bar": m_bar * u.M_sun, "ln_bayes": ln_b, "settled": settled}
    style.plotted(fig, "galaxies", galaxy=np.asarray(survey.table["galaxy"]), **columns)
    return fig


def haloes(survey: CurveSample, fits: SampleFits) -> Figure:
    """Concentration and stellar mass against halo mass, beside the expectations from simulations of cold dark matter.

    To see: fitted without a prior from simulations, the haloes lie around the expected lines with far more scatter
    than expected; long error bars are galaxies whose curve does not reach the scale radius.
    """
    fig, (left, right) = style.new_figure(1, 2, height=3.9)
    found = fits["nfw"]
    good = np.asarray(survey.table["good"]) & (found["converged"] == 1)
    m, c = (10.0 ** found[name][good].T[1:4] for name in ("log_m200", "log_c"))
    m_star = survey.table["m_star"].to_value(u.Msun)[good]
    look = style.points("observed", alpha=0.6, elinewidth=0.5, markersize=3, xerr=[m[1] - m[0], m[2] - m[1]])
    left.errorbar(m[1], c[1], yerr=[c[1] - c[0], c[2] - c[1]], **look)
    right.errorbar(m[1], m_star, **look)
    grid = np.linspace(9, 14, 100)
    span = max(1e9, 0.5 * m[0].min(initial=1e14)), min(1e14, 2 * m[2].max(initial=1e9))
    expected = ((left, log_concentration, CONCENTRATION_SCATTER), (right, log_stellar_mass, STELLAR_SCATTER))
    for ax, relation, half in expected:
        line = relation(grid)
        ax.set(xscale="log", yscale="log", xlim=span, xlabel=r"halo mass $M_{200}$ [M$_\odot$]")
        ax.plot(10**grid, 10**line, **style.line("prediction"), zorder=6)
        shade(ax, 10**grid, 10 ** (line - half), 10 ** (line + half), "prediction", zorder=5)
    least, most = max(0.9, 0.5 * c[0].min(initial=110)), min(110, 2 * c[2].max(initial=0.9))
    left.set(ylabel="concentration $c_{200}$", ylim=(least, most), title="Dutton & Macciò 2014")
    right.set(ylabel=STELLAR_MASS, ylim=(0.5 * m_star.min(), 3 * m_star.max()), title="Moster et al. 2013")
    masses = {"m200": m[1] * u.M_sun, "m200_low": m[0] * u.M_sun, "m200_high": m[2] * u.M_sun}
    columns = masses | {"c200": c[1], "c200_low": c[0], "c200_high": c[2], "m_star": m_star * u.M_sun}
    style.plotted(fig, "nfw", galaxy=np.asarray(survey.table["galaxy"])[good], **columns)
    return fig


def relations(survey: CurveSample, points: Accelerations, scale: Scaling, tully_fisher: Scaling) -> Figure:
    """The radial acceleration relation and the baryonic Tully-Fisher relation.

    To see: one curve and one line describe galaxies whose masses differ by factors of thousands.
    """
    fig, (left, right) = style.new_figure(1, 2, height=4.0)
    dots = style.points("observed", marker=".", markersize=1.8, alpha=0.4)
    accelerations = {name: getattr(points, name) * u.m / u.s**2 for name in ("g_bar", "g_obs")}
    curve(left, "accelerations", accelerations, dots, label="")
    span = np.geomspace(points.g_bar.min(), points.g_bar.max(), 100)
    left.plot(span, expected_acceleration(span, scale.values["scale"]), label="fit", **style.line("dark_matter"))
    left.plot(span, span, label="no dark matter", **style.line("literature"))
    left.set(xlabel="acceleration of what is seen [m s$^{-2}$]", ylabel="acceleration needed [m s$^{-2}$]")
    table = survey.table[survey.table["good"] & np.isfinite(survey.table["v_flat"])]
    v, m = table["v_flat"].to_value(u.km / u.s), table["m_bar"].to_value(u.Msun)
    v_err, m_err = table["v_flat_err"].to_value(u.km / u.s), m * np.log(10) * table["log_m_bar_err"]
    right.errorbar(v, m, xerr=v_err, yerr=m_err, elinewidth=0.6, **style.points("observed", markersize=3.5))
    ends = np.array([0.9 * v.min(), 1.1 * v.max()])
    slope = tully_fisher.values["slope"]
    line = 10 ** (tully_fisher.values["intercept"] + slope * np.log10(ends))
    right.plot(ends, line, label=f"slope {slope:.2f}", **style.line("dark_matter"))
    right.set(xlabel="speed of the flat part [km s$^{-1}$]", ylabel=r"baryonic mass [M$_\odot$]")
    for ax in (left, right):
        ax.set(xscale="log", yscale="log")
        ax.legend(loc="upper left")
    ticks(right.xaxis, [t for t in (20, 30, 50, 100, 200, 300) if ends[0] <= t <= ends[1]])
    right.minorticks_off()
    columns = {"v_flat": v * KMS, "v_err": v_err * KMS, "m_bar": m * u.M_sun, "m_err": m_err * u.M_sun}
    style.plotted(fig, "tully-fisher", galaxy=np.asarray(table["galaxy"]), **columns)
    return fig
