"""Figures of the chapter on the target profiles."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ..faults import TornProfile
from ..targets import Targets, group_over_subhalo, poisson_error
from . import style

#: Gravitational softening of TNG100-1 at z = 0 [kpc], 0.5 kpc/h (Nelson et al. 2019, table 1).
SOFTENING = 0.738

_RADIUS = "radius $R$ [kpc]"


def v_circ(radii: np.ndarray, speeds: dict[str, np.ndarray]) -> Figure:
    """Circular speed of one galaxy, taken apart into dark matter, stars and gas.

    To see: stars and gas matter inside and fade outwards, where the dark matter is nearly all; the squares add up.
    """
    fig, ax = style.new_figure(width="text", height=3.9)
    for name, role, label in (
        ("total", "total", "total"),
        ("dm", "dark_matter", "dark matter"),
        ("stars", "stars", "stars"),
        ("gas", "gas", "gas"),
    ):
        ax.plot(radii, speeds[name], label=label, **style.line(role))
        style.plotted(fig, label, radius=radii * u.kpc, v_circ=speeds[name] * u.km / u.s)
    ax.set(xscale="log", xlabel=_RADIUS, ylabel="circular speed [km s$^{-1}$]", xlim=(radii[0], radii[-1]))
    ax.set_ylim(0, 1.25 * np.max(speeds["total"]))
    _plain_ticks(ax)
    ax.legend(ncols=2, loc="upper left")
    return fig


def profiles(targets: Targets, mean: np.ndarray, spread: np.ndarray) -> Figure:
    """The targets: dark-matter mass within each radius of every galaxy of the sample.

    To see: all profiles rise by a factor of some hundred and hardly cross; what tells galaxies apart is above all
    their height, which goes with the stellar mass (colour), and less their slope.
    """
    fig, ax = style.new_figure(width="text", height=4.7)
    norm = LogNorm(targets.m_star.min(), targets.m_star.max())
    colours = ScalarMappable(norm, style.SEQUENTIAL)
    for row in np.argsort(targets.m_star):
        mass = np.where(targets.m_dm[row] > 0, targets.m_dm[row], np.nan)
        ax.plot(targets.radii, mass, color=colours.to_rgba(targets.m_star[row]), linewidth=0.7, alpha=0.55)
        style.plotted(
            fig, f"subhalo {targets.subhalo_id[row]}", radius=targets.radii * u.kpc, m_dm=targets.m_dm[row] * u.Msun
        )
    centre = np.exp(mean)
    ax.plot(targets.radii, centre, color="white", linewidth=4.2)
    ax.plot(targets.radii, centre, label="mean of ln M", **style.line("prediction", linewidth=2.2))
    for sign, label in ((1, r"mean $\pm$ spread"), (-1, None)):
        edge = np.exp(mean + sign * spread)
        ax.plot(targets.radii, edge, color="white", linewidth=3.0)
        ax.plot(targets.radii, edge, label=label, **style.line("prediction", linewidth=1.3, linestyle=(0, (4, 2))))
    style.plotted(fig, "mean of ln M", radius=targets.radii * u.kpc, m_dm=centre * u.Msun, ln_spread=spread)
    ax.set(xscale="log", yscale="log", xlabel=_RADIUS, ylabel=r"dark matter within $R$ [M$_\odot$]", xlim=(1, 100))
    _plain_ticks(ax)
    fig.colorbar(colours, ax=ax, label=r"stellar mass [M$_\odot$]", pad=0.02)
    ax.legend(loc="lower right")
    return fig


def scopes(targets: Targets) -> Figure:
    """The mass of the FoF group over the mass bound to the subhalo, for centrals and satellites.

    To see: for centrals the two targets differ by little, and only outside; a satellite's profile about its own
    centre soon holds the matter of its host.
    """
    fig, ax = style.new_figure(width="text", height=4.0)
    ratio = group_over_subhalo(targets)
    # Satellites are drawn last: they are few.
    for label, mask, role in (
        ("central", targets.is_true_central, "dark_matter"),
        ("satellite", ~targets.is_true_central, "stars"),
    ):
        for k, row in enumerate(np.flatnonzero(mask)):
            name = f"{label}s ({mask.sum()})" if k == 0 else None
            ax.plot(targets.radii, ratio[row], color=style.COLOURS[role], linewidth=0.8, alpha=0.5, label=name)
            style.plotted(
                fig, f"{label} {targets.subhalo_id[row]}", radius=targets.radii * u.kpc, group_over_subhalo=ratio[row]
            )
    ax.set(xscale="log", yscale="log", xlabel=_RADIUS, ylabel="dark matter, group / subhalo", xlim=(1, 100))
    _plain_ticks(ax)
    _plain_ticks(ax, "y")
    legend = ax.legend(loc="upper left")
    for handle in legend.legend_handles:
        handle.set(alpha=1, linewidth=2)
    return fig


def resolution(targets: Targets, m_dm_tng: float) -> Figure:
    """How well counted particles fix the mass within a radius.

    To see: at 1 kpc the target itself is uncertain by its number of particles; the shaded radii lie within the softened
    force of TNG100-1, where the simulation has no say on the profile however many particles it has.
    """
    fig, ax = style.new_figure(width="text", height=3.9)
    ax.axvspan(1.0, 2.8 * SOFTENING, color=style.COLOURS["literature"], alpha=0.15, linewidth=0)
    ax.text(1.04, 0.0012, "softened\nforce of\nTNG100-1", fontsize=9, va="bottom", color="#444444")
    median = np.median(targets.m_dm, axis=0)
    here = targets.m_dm_particle
    for label, particle, role in (
        (f"these galaxies ({here / 1e6:.3g} million M$_\\odot$ a particle)", here, "embedded"),
        (f"the same with TNG100-1's particles ({m_dm_tng / 1e6:.3g} million)", m_dm_tng, "tng"),
    ):
        low, middle, high = (poisson_error(np.percentile(targets.m_dm, q, axis=0), particle) for q in (84, 50, 16))
        ax.fill_between(
            targets.radii, low, np.where(np.isfinite(high), high, 3.0), color=style.COLOURS[role], alpha=0.2, lw=0
        )
        ax.plot(targets.radii, middle, color=style.COLOURS[role], label=label)
        style.plotted(fig, label, radius=targets.radii * u.kpc, relative_error=middle, median_mass=median * u.Msun)
    ax.set(xscale="log", yscale="log", xlabel=_RADIUS, ylabel=r"relative error, $1/\sqrt{N}$", xlim=(1, 100))
    ax.set_ylim(1e-3, 2.0)
    _plain_ticks(ax)
    ax.legend(loc="upper right")
    return fig


def torn(radii: np.ndarray, cases: dict[str, list[TornProfile]]) -> Figure:
    """What the wrap of the authors' scripts leaves of a galaxy that lies across a plane of the box.

    To see: right at the plane half of the mass is lost at all radii; a galaxy 30 kpc away from it loses mass only
    outside.
    """
    fig, axes = style.new_figure(1, len(cases), width="wide", height=3.4, sharey=True, squeeze=False)
    colours = ("dark_matter", "gas", "stars")
    for ax, (title, tears) in zip(axes[0], cases.items(), strict=True):
        for role, case in zip(colours, tears, strict=True):
            ax.plot(radii, case.kept, label=f"centre {case.distance:g} kpc away", **style.line(role))
            style.plotted(
                fig,
                f"{title}, {case.distance:g} kpc",
                radius=radii * u.kpc,
                kept=case.kept,
                m_dm=case.true * u.Msun,
                m_dm_torn=case.torn * u.Msun,
            )
        ax.axhline(1.0, **style.line("literature", linewidth=1.0))
        ax.set(xscale="log", xlabel=_RADIUS, title=title, ylim=(0, 1.15), xlim=(1, 100))
        _plain_ticks(ax)
    axes[0, 0].set_ylabel("dark matter found / true")
    axes[0, 0].legend(loc="lower left")
    return fig


def baselines(targets: Targets, errors: dict[str, np.ndarray]) -> Figure:
    """What a predictor reaches that looks at no galaxy: the line that every network has to beat.

    To see: knowing the mean profile of the other galaxies is worth an error of some tens of per cent; the authors'
    random draw is worse by about the square root of two.
    """
    fig, ax = style.new_figure(width="text", height=3.9)
    for name, label, role in (
        ("random", "random draw (authors' baseline)", "baseline"),
        ("mean", "mean profile of the others", "prediction"),
    ):
        value, error = errors[name], errors[f"{name}_error"]
        ax.fill_between(targets.radii, value - error, value + error, color=style.COLOURS[role], alpha=0.25, linewidth=0)
        ax.plot(targets.radii, value, label=label, **style.line(role))
        style.plotted(fig, label, radius=targets.radii * u.kpc, rms_ln_m=value, error=error)
    noise = np.sqrt(np.mean(np.minimum(poisson_error(targets.m_dm, targets.m_dm_particle), 1.0) ** 2, axis=0))
    ax.plot(targets.radii, noise, label="particle noise of the targets", **style.line("literature", linewidth=1.3))
    style.plotted(fig, "particle noise", radius=targets.radii * u.kpc, rms_ln_m=noise)
    ax.set(xscale="log", xlabel=_RADIUS, ylabel=r"rms error of $\ln M$", xlim=(1, 100))
    ax.set_ylim(0, 1.35 * errors["random"].max())
    _plain_ticks(ax)
    ax.legend(loc="upper center", ncols=1)
    return fig


def _plain_ticks(ax, axis: str = "x") -> None:
    """Write 1, 10, 100 instead of powers of ten."""
    target = ax.xaxis if axis == "x" else ax.yaxis
    target.set_major_formatter(lambda value, _: f"{value:g}")
    target.set_minor_formatter(lambda value, _: "")
