"""Figures of the chapter on SPARC: mass models of one galaxy, haloes of many, and two relations as checks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy import units as u
from matplotlib.figure import Figure

from ..rotation.fit import Fit
from ..rotation.halos import CONCENTRATION_SCATTER, HALOS, STELLAR_SCATTER, log_concentration, log_stellar_mass
from ..rotation.massmodel import MassModel
from ..rotation.sparc import CurveSample
from ..rotation.sparc_analysis import Accelerations, SampleFits, Scaling, expected_acceleration
from . import style
from .panels import KMS, RADIUS, STELLAR_MASS, curve, note, shade, ticks


def decomposition(model: MassModel, fits: Mapping[str, Fit]) -> Figure:
    """A rotation curve with the fits of several halo models, and their residuals.

    To see: models that follow the points at large radii may differ in the centre, where cusps and cores differ and
    where the stars matter most; the lower panel shows the residuals in units of the measurement error.
    """
    fig, (top, bottom) = style.new_figure(2, 1, width="text", height=5.8, sharex=True, height_ratios=[2.4, 1])
    r, radius = model.radius, model.radius * u.kpc
    for name, fit in fits.items():
        look = style.line(f"halo/{name}")
        low, middle, high = fit.v_model
        pull = (model.v_obs - middle) / model.v_err
        speeds = {"low": low * KMS, "speed": middle * KMS, "high": high * KMS, "halo": fit.v_dark[1] * KMS}
        columns = {"radius": radius, **speeds, "residual_in_errors": pull}
        curve(top, name, columns, look, label=HALOS[name].label, band=True, ordinate="speed")
        top.plot(r, fit.v_dark[1], **look | {"linewidth": 1.0})
        bottom.plot(r, pull, marker="o", markersize=3, **look)
    columns = {"radius": radius, "speed": model.v_obs * KMS, "error": model.v_err * KMS}
    visible, look = model.v_visible(), style.line("literature")
    top.plot(r, visible, label="stars and gas, nominal", **look)
    curve(top, "measured", columns, style.points("observed", zorder=5), bars=True)
    style.plotted(fig, "visible", radius=radius, speed=visible * KMS)
    top.set(ylabel="rotation speed [km s$^{-1}$]", ylim=(0, 1.3 * model.v_obs.max()), title=model.galaxy)
    top.legend(ncols=3, loc="upper left", fontsize=8.5)
    bottom.axhline(0, **style.line("baseline"))
    bottom.set(xlabel=RADIUS, ylabel="(measured − model)\n/ error", xlim=(0, 1.03 * r.max()))
    return fig


def enclosed(model: MassModel, fits: Mapping[str, Fit]) -> Figure:
    """Dark mass within the twenty radii with credible intervals; measured radii are shaded.

    To see: where the curve is measured the models agree within their intervals; further out, where nothing is
    measured, the intervals widen and the models diverge.
    """
    fig, (left, right) = style.new_figure(1, 2, width="wide", height=3.7)
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
    at = (1.1 * max(model.radius[0], 1.0), left.get_ylim()[1] * 0.4)
    left.text(*at, "measured", fontsize=9, color=style.COLOURS["literature"])
    return fig


def cusp_or_core(survey: CurveSample, fits: SampleFits) -> Figure:
    """Evidence for a core against a cusp, of each galaxy, against its baryonic mass.

    To see: outside the grey band the curve of a galaxy favours one model; within it the data do not decide.
    """
    fig, (ax, side) = style.new_figure(1, 2, width="wide", height=3.8, sharey=True, width_ratios=[2.6, 1])
    ln_b, settled = fits.log_bayes, fits.settled
    known = np.isfinite(ln_b)
    m_bar = survey.table["m_bar"].to_value(u.Msun)
    squeezed = np.arcsinh(ln_b / 3)
    for rows, role, label in (
        (known & settled, "observed", "chains converged"),
        (known & ~settled, "reject", "not converged"),
    ):
        if rows.any():
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


def haloes(survey: CurveSample, fits: SampleFits, halo: str = "nfw") -> Figure:
    """Concentration and stellar mass against halo mass, beside the expectations from simulations of cold dark matter.

    To see: fitted without a prior from simulations, the haloes lie around the expected lines with far more scatter
    than expected; long error bars are galaxies whose curve does not reach the scale radius.
    """
    fig, (left, right) = style.new_figure(1, 2, width="wide", height=3.9)
    found = fits[halo]
    good = np.asarray(survey.table["good"]) & (found["converged"] == 1)
    m, c = (10.0 ** found[name][good].T[1:4] for name in ("log_m200", "log_c"))
    m_star = survey.table["m_star"].to_value(u.Msun)[good]
    look = style.points("observed", alpha=0.6, elinewidth=0.5, markersize=3, xerr=[m[1] - m[0], m[2] - m[1]])
    left.errorbar(m[1], c[1], yerr=[c[1] - c[0], c[2] - c[1]], **look)
    right.errorbar(m[1], m_star, **look)
    grid = np.linspace(9, 14, 100)
    for ax, line, half in (
        (left, log_concentration(grid), CONCENTRATION_SCATTER),
        (right, log_stellar_mass(grid), STELLAR_SCATTER),
    ):
        ax.set(xscale="log", yscale="log", xlim=(1e9, 1e14), xlabel=r"halo mass $M_{200}$ [M$_\odot$]")
        ax.plot(10**grid, 10**line, **style.line("prediction"), zorder=6)
        shade(ax, 10**grid, 10 ** (line - half), 10 ** (line + half), "prediction", zorder=5)
    left.set(ylabel="concentration $c_{200}$", ylim=(0.9, 110), title="Dutton & Macciò 2014")
    right.set(ylabel=STELLAR_MASS, ylim=(0.5 * m_star.min(), 3 * m_star.max()), title="Moster et al. 2013")
    masses = {"m200": m[1] * u.M_sun, "m200_low": m[0] * u.M_sun, "m200_high": m[2] * u.M_sun}
    columns = masses | {"c200": c[1], "c200_low": c[0], "c200_high": c[2], "m_star": m_star * u.M_sun}
    style.plotted(fig, halo, galaxy=np.asarray(survey.table["galaxy"])[good], **columns)
    return fig


def relations(survey: CurveSample, points: Accelerations, scale: Scaling, tully_fisher: Scaling) -> Figure:
    """The radial acceleration relation and the baryonic Tully-Fisher relation.

    To see: one curve and one line describe galaxies whose masses differ by factors of thousands.
    """
    fig, (left, right) = style.new_figure(1, 2, width="wide", height=4.0)
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
