"""Figures of the chapter on SPARC: mass models of one galaxy, haloes of many, and two relations as checks."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ..rotation.fit import Fit
from ..rotation.halos import CONCENTRATION_SCATTER, HALOS, STELLAR_SCATTER, log_concentration, log_stellar_mass
from ..rotation.massmodel import MassModel
from ..rotation.sparc_fits import SampleFits
from ..rotation.sparc_sample import Accelerations, CurveSample, Scaling, expected_acceleration
from . import style

#: Colour and line of a halo model, in this chapter and in the comparison.
HALO_STYLE = {
    "nfw": {"color": style.COLOURS["dark_matter"], "linestyle": "-"},
    "burkert": {"color": style.COLOURS["accent"], "linestyle": (0, (5, 1.5))},
    "isothermal": {"color": style.COLOURS["hot_gas"], "linestyle": (0, (1, 1))},
    "einasto": {"color": style.COLOURS["embedded"], "linestyle": (0, (3, 1.2, 1, 1.2))},
    "dc14": {"color": style.COLOURS["gas"], "linestyle": (0, (6, 2))},
    "corenfw": {"color": style.COLOURS["stars"], "linestyle": (0, (4, 1.5, 1, 1.5))},
}


def decomposition(model: MassModel, fits: dict[str, Fit]) -> Figure:
    """A rotation curve under several halo models, and how far each lies from the points.

    To see: the models that follow the points outside may part in the centre, where cusps and cores differ and where
    the stars matter most; the lower panel shows it in errors of measurement.
    """
    fig, (top, bottom) = style.new_figure(
        2, 1, width="text", height=5.8, sharex=True, gridspec_kw={"height_ratios": [2.4, 1]}
    )
    r = model.radius
    for name, fit in fits.items():
        how = HALO_STYLE[name]
        low, middle, high = fit.v_model
        top.plot(r, middle, label=HALOS[name].label, **how)
        top.fill_between(r, low, high, color=how["color"], alpha=0.18, linewidth=0)
        top.plot(r, fit.v_dark[1], color=how["color"], linestyle=how["linestyle"], linewidth=1.0)
        pull = (model.v_obs - middle) / model.v_err
        bottom.plot(r, pull, marker="o", markersize=3, **how)
        style.plotted(
            fig, name, radius=r * u.kpc, low=low * u.km / u.s, speed=middle * u.km / u.s, high=high * u.km / u.s,
            halo=fit.v_dark[1] * u.km / u.s, residual_in_errors=pull,
        )  # fmt: skip
    top.plot(r, model.v_visible(), label="stars and gas, nominal", **style.line("literature"))
    top.errorbar(r, model.v_obs, yerr=model.v_err, label="measured", zorder=5, **style.points("observed"))
    style.plotted(fig, "measured", radius=r * u.kpc, speed=model.v_obs * u.km / u.s, error=model.v_err * u.km / u.s)
    style.plotted(fig, "visible", radius=r * u.kpc, speed=model.v_visible() * u.km / u.s)
    top.set(ylabel="rotation speed [km s$^{-1}$]", ylim=(0, 1.3 * model.v_obs.max()), title=model.galaxy)
    top.legend(ncols=3, loc="upper left", fontsize=8.5)
    bottom.axhline(0, **style.line("baseline"))
    bottom.set(xlabel="radius $R$ [kpc]", ylabel="(measured − model)\n/ error", xlim=(0, 1.03 * r.max()))
    return fig


def enclosed(model: MassModel, fits: dict[str, Fit]) -> Figure:
    """Dark mass within the twenty radii with credible intervals, beyond the last point marked as extrapolation.

    To see: where the curve is measured the models agree within their intervals; beyond, the intervals open and the
    models part, because there nothing is measured.
    """
    fig, (left, right) = style.new_figure(1, 2, width="wide", height=3.7)
    first = next(iter(fits.values()))
    reference = first.m_dm
    for ax in (left, right):
        ax.axvspan(model.radius[0], model.radius[-1], color=style.COLOURS["reject"], alpha=0.25, linewidth=0)
        ax.set(xscale="log", xlabel="radius $R$ [kpc]", xlim=(0.9, 110))
    for name, fit in fits.items():
        how, q = HALO_STYLE[name], fit.quantiles
        left.plot(fit.radii, q[2], label=HALOS[name].label, **how)
        left.fill_between(fit.radii, q[0], q[4], color=how["color"], alpha=0.12, linewidth=0)
        right.plot(fit.radii, q[2] / reference, **how)
        for low, high, alpha in ((0, 4, 0.12), (1, 3, 0.25)):
            right.fill_between(
                fit.radii, q[low] / reference, q[high] / reference, color=how["color"], alpha=alpha, linewidth=0
            )
        style.plotted(
            fig, name, radius=fit.radii * u.kpc, measured=fit.measured,
            **{f"q{p}": row * u.M_sun for p, row in zip((2.5, 16, 50, 84, 97.5), q, strict=True)},
        )  # fmt: skip
    left.set(yscale="log", ylabel=r"dark mass within $R$ [M$_\odot$]", title="95 per cent intervals")
    right.set(yscale="log", ylabel=f"over the median of {HALOS[first.halo].label}", title="68 and 95 per cent")
    right.set_ylim(0.2, 5)
    right.set_yticks([0.2, 0.5, 1, 2, 5], labels=["0.2", "0.5", "1", "2", "5"])
    left.legend(loc="lower right")
    right.yaxis.set_minor_formatter(NullFormatter())
    left.text(
        1.1 * max(model.radius[0], 1.0),
        left.get_ylim()[1] * 0.4,
        "measured",
        fontsize=9,
        color=style.COLOURS["literature"],
    )
    return fig


def cusp_or_core(survey: CurveSample, fits: SampleFits) -> Figure:
    """Evidence for a core against a cusp, of each galaxy, against its baryonic mass.

    To see: on either side of the grey band a galaxy's curve decides; within it the data do not say.
    """
    fig, (ax, side) = style.new_figure(
        1, 2, width="wide", height=3.8, sharey=True, gridspec_kw={"width_ratios": [2.6, 1]}
    )
    ln_b, settled = fits.log_bayes, fits.settled
    known = np.isfinite(ln_b)
    m_bar = survey.table["m_bar"].to_value(u.Msun)
    squeezed = np.arcsinh(ln_b / 3)
    for rows, how in (
        (known & settled, {"marker": "o", "color": style.COLOURS["observed"]}),
        (known & ~settled, {"marker": "x", "color": style.COLOURS["reject"]}),
    ):
        label = "chains converged" if how["marker"] == "o" else "not converged"
        if rows.any():
            ax.plot(m_bar[rows], squeezed[rows], linestyle="none", markersize=4, label=label, **how)
    side.hist(squeezed[known], bins=25, orientation="horizontal", color=style.COLOURS["embedded"], alpha=0.8)
    for panel in (ax, side):
        panel.axhspan(-np.arcsinh(1), np.arcsinh(1), color=style.COLOURS["reject"], alpha=0.3, linewidth=0)
    ticks = [t for t in (-100, -30, -10, -3, 0, 3, 10, 30, 100) if abs(t) <= 1.3 * np.nanmax(np.abs(ln_b))]
    ax.set_yticks(np.arcsinh(np.array(ticks) / 3), labels=[str(t).replace("-", "−") for t in ticks])
    ax.set(xscale="log", xlabel=r"baryonic mass [M$_\odot$]", ylabel="ln evidence, Burkert over NFW")
    ax.text(0.02, 0.97, "core", transform=ax.transAxes, va="top", fontweight="bold")
    ax.text(0.02, 0.03, "cusp", transform=ax.transAxes, va="bottom", fontweight="bold")
    ax.legend(loc="upper right")
    side.set(xlabel="galaxies")
    style.plotted(
        fig, "galaxies", galaxy=np.asarray(survey.table["galaxy"]), m_bar=m_bar * u.M_sun, ln_bayes=ln_b,
        settled=settled,
    )  # fmt: skip
    return fig


def haloes(survey: CurveSample, fits: SampleFits, halo: str = "nfw") -> Figure:
    """Concentration and stellar mass against halo mass, beside what cold dark matter and abundance matching expect.

    To see: fitted without a prior from simulations, the haloes lie about the expected lines with far more scatter than
    these have; long error bars are galaxies whose curve does not reach the scale radius.
    """
    fig, (left, right) = style.new_figure(1, 2, width="wide", height=3.9)
    found = fits[halo]
    good = np.asarray(survey.table["good"]) & (found["converged"] == 1)
    m, c = 10.0 ** found["log_m200"][good], 10.0 ** found["log_c"][good]
    m_star = survey.table["m_star"].to_value(u.Msun)[good]
    grid = np.linspace(9, 14, 100)
    bars = {"xerr": [m[:, 2] - m[:, 1], m[:, 3] - m[:, 2]], "elinewidth": 0.5, "markersize": 3}
    for ax in (left, right):
        ax.set(xscale="log", yscale="log", xlim=(1e9, 1e14), xlabel=r"halo mass $M_{200}$ [M$_\odot$]")
    points = style.points("observed", alpha=0.6)
    left.errorbar(m[:, 2], c[:, 2], yerr=[c[:, 2] - c[:, 1], c[:, 3] - c[:, 2]], **bars, **points)
    right.errorbar(m[:, 2], m_star, **bars, **points)
    for ax, line, half in (
        (left, log_concentration(grid), CONCENTRATION_SCATTER),
        (right, log_stellar_mass(grid), STELLAR_SCATTER),
    ):
        ax.plot(10**grid, 10**line, **style.line("prediction"), zorder=6)
        ax.fill_between(
            10**grid, 10 ** (line - half), 10 ** (line + half), color=style.COLOURS["prediction"], alpha=0.25, zorder=5
        )
    left.set(ylabel="concentration $c_{200}$", ylim=(0.9, 110), title="Dutton & Macciò 2014")
    right.set(
        ylabel=r"stellar mass [M$_\odot$]", ylim=(0.5 * m_star.min(), 3 * m_star.max()), title="Moster et al. 2013"
    )
    style.plotted(
        fig, halo, galaxy=np.asarray(survey.table["galaxy"])[good], m200=m[:, 2] * u.M_sun, m200_low=m[:, 1] * u.M_sun,
        m200_high=m[:, 3] * u.M_sun, c200=c[:, 2], c200_low=c[:, 1], c200_high=c[:, 3], m_star=m_star * u.M_sun,
    )  # fmt: skip
    return fig


def relations(survey: CurveSample, points: Accelerations, scale: Scaling, tully_fisher: Scaling) -> Figure:
    """The radial acceleration relation and the baryonic Tully-Fisher relation.

    To see: one curve and one line go through galaxies whose masses differ by factors of thousands.
    """
    fig, (left, right) = style.new_figure(1, 2, width="wide", height=4.0)
    left.plot(points.g_bar, points.g_obs, ".", color=style.COLOURS["observed"], markersize=1.8, alpha=0.4)
    span = np.geomspace(points.g_bar.min(), points.g_bar.max(), 100)
    left.plot(span, expected_acceleration(span, scale.values["scale"]), label="fit", **style.line("dark_matter"))
    left.plot(span, span, label="no dark matter", **style.line("literature"))
    left.set(xscale="log", yscale="log", xlabel="acceleration of what is seen [m s$^{-2}$]")
    left.set_ylabel("acceleration needed [m s$^{-2}$]")
    left.legend(loc="upper left")
    table = survey.table[survey.table["good"] & np.isfinite(survey.table["v_flat"])]
    v, m = table["v_flat"].to_value(u.km / u.s), table["m_bar"].to_value(u.Msun)
    v_err, m_err = table["v_flat_err"].to_value(u.km / u.s), m * np.log(10) * table["log_m_bar_err"]
    right.errorbar(v, m, xerr=v_err, yerr=m_err, elinewidth=0.6, **style.points("observed", markersize=3.5))
    ends = np.array([0.9 * v.min(), 1.1 * v.max()])
    line = 10 ** (tully_fisher.values["intercept"] + tully_fisher.values["slope"] * np.log10(ends))
    right.plot(ends, line, label=f"slope {tully_fisher.values['slope']:.2f}", **style.line("dark_matter"))
    right.set(xscale="log", yscale="log", xlabel="speed of the flat part [km s$^{-1}$]")
    right.set_ylabel(r"baryonic mass [M$_\odot$]")
    ticks = [t for t in (20, 30, 50, 100, 200, 300) if ends[0] <= t <= ends[1]]
    right.set_xticks(ticks, labels=[str(t) for t in ticks])
    right.minorticks_off()
    right.legend(loc="upper left")
    style.plotted(fig, "accelerations", g_bar=points.g_bar * u.m / u.s**2, g_obs=points.g_obs * u.m / u.s**2)
    style.plotted(
        fig, "tully-fisher", galaxy=np.asarray(table["galaxy"]), v_flat=v * u.km / u.s, v_err=v_err * u.km / u.s,
        m_bar=m * u.M_sun, m_err=m_err * u.M_sun,
    )  # fmt: skip
    return fig
