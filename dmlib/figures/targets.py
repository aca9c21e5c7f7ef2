"""Figures of the chapter on the target profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ..published_script_bugs import TornProfile
from ..targets import Targets, group_over_subhalo, poisson_error
from . import style
from .panels import KMS, LOG_ERROR, STELLAR_MASS, curve, plain, positive, radius_axis

#: Gravitational softening of TNG100-1 at z = 0 [kpc], 0.5 kpc/h (Nelson et al. 2019, table 1).
SOFTENING = 0.738


def v_circ(radii: np.ndarray, speeds: Mapping[str, np.ndarray]) -> Figure:
    """Circular velocity of one galaxy and the contributions of dark matter, stars and gas.

    To see: stars and gas matter in the centre and lose weight outwards, where nearly all the mass is dark matter; the
    contributions add in quadrature.
    """
    fig, ax = style.new_figure(width="text", height=3.9)
    for key, label in (("total", "total"), ("dm", "dark matter"), ("stars", "stars"), ("gas", "gas")):
        curve(ax, label, {"radius": radii * u.kpc, "v_circ": speeds[key] * KMS}, style.line(label.replace(" ", "_")))
    radius_axis(ax, xlim=(radii[0], radii[-1]), ylabel="circular speed [km s$^{-1}$]")
    ax.set_ylim(0, 1.25 * np.max(speeds["total"]))
    ax.legend(ncols=2, loc="upper left")
    return fig


def profiles(targets: Targets, mean: np.ndarray, spread: np.ndarray) -> Figure:
    """The targets: dark-matter mass within each radius of every galaxy of the sample.

    To see: all profiles rise by a factor of several hundred and hardly cross. Galaxies differ mainly in normalisation,
    which follows the stellar mass (colour), and less in slope.
    """
    fig, ax = style.new_figure(width="text", height=4.7)
    colours = ScalarMappable(LogNorm(targets.m_star.min(), targets.m_star.max()), style.SEQUENTIAL)
    radius = targets.radii * u.kpc
    for row in np.argsort(targets.m_star):
        mass = targets.m_dm[row]
        how = {"color": colours.to_rgba(targets.m_star[row]), "linewidth": 0.7, "alpha": 0.55}
        ax.plot(targets.radii, positive(mass), **how)
        style.plotted(fig, f"subhalo {targets.subhalo_id[row]}", radius=radius, m_dm=mass * u.Msun)
    centre = np.exp(mean)
    for mass, label, width, dash in (
        (centre, "mean of ln M", 2.2, "-"),
        (np.exp(mean + spread), r"mean $\pm$ spread", 1.3, style.SHORT),
        (np.exp(mean - spread), None, 1.3, style.SHORT),
    ):
        ax.plot(targets.radii, mass, color="white", linewidth=4.2 if mass is centre else 3.0)
        ax.plot(targets.radii, mass, label=label, **style.line("prediction", linewidth=width, linestyle=dash))
    style.plotted(fig, "mean of ln M", radius=radius, m_dm=centre * u.Msun, ln_spread=spread)
    radius_axis(ax, yscale="log", ylabel=r"dark matter within $R$ [M$_\odot$]")
    fig.colorbar(colours, ax=ax, label=STELLAR_MASS, pad=0.02)
    ax.legend(loc="lower right")
    return fig


def scopes(targets: Targets) -> Figure:
    """Dark mass of the FoF group over that bound to the subhalo, for centrals and satellites.

    To see: for centrals the two targets differ little, and only at large radii; the group profile around a satellite
    is soon dominated by the matter of its host.
    """
    fig, ax = style.new_figure(width="text", height=4.0)
    ratio = group_over_subhalo(targets)
    # Satellites are few and drawn on top.
    for kind, mask, role in (
        ("central", targets.is_true_central, "dark_matter"),
        ("satellite", ~targets.is_true_central, "stars"),
    ):
        look = style.line(role, linestyle="-", linewidth=0.8, alpha=0.5)
        for k, row in enumerate(np.flatnonzero(mask)):
            label = f"{kind}s ({mask.sum()})" if k == 0 else ""
            columns = {"radius": targets.radii * u.kpc, "group_over_subhalo": ratio[row]}
            curve(ax, f"{kind} {targets.subhalo_id[row]}", columns, look, label=label)
    radius_axis(ax, yscale="log", ylabel="dark matter, group / subhalo")
    plain(ax.yaxis)
    for handle in ax.legend(loc="upper left").legend_handles:
        handle.set(alpha=1, linewidth=2)
    return fig


def resolution(targets: Targets, m_dm_tng: float) -> Figure:
    """Poisson error of the mass within each radius.

    To see: at 1 kpc the target itself is uncertain because few particles lie within. At the shaded radii the force in
    TNG100-1 is softened, and the simulated profile cannot be trusted however many particles there are.
    """
    fig, ax = style.new_figure(width="text", height=3.9)
    ax.axvspan(1.0, 2.8 * SOFTENING, color=style.COLOURS["literature"], alpha=0.15, linewidth=0)
    ax.text(1.04, 0.0012, "softened\nforce of\nTNG100-1", fontsize=9, va="bottom", color="#444444")
    median = np.median(targets.m_dm, axis=0) * u.Msun
    here = targets.m_dm_particle
    for label, particle, role in (
        (f"these galaxies ({here / 1e6:.3g} million M$_\\odot$ a particle)", here, "embedded"),
        (f"the same with TNG100-1's particles ({m_dm_tng / 1e6:.3g} million)", m_dm_tng, "tng"),
    ):
        low, middle, high = (poisson_error(np.percentile(targets.m_dm, q, axis=0), particle) for q in (84, 50, 16))
        columns = {"radius": targets.radii * u.kpc, "relative_error": middle, "median_mass": median}
        band = (low, np.where(np.isfinite(high), high, 3.0))
        curve(ax, label, columns, style.line(role), band=band)
    radius_axis(ax, yscale="log", ylabel=r"relative error, $1/\sqrt{N}$", ylim=(1e-3, 2.0))
    ax.legend(loc="upper right")
    return fig


def torn(radii: np.ndarray, cases: Mapping[str, Sequence[TornProfile]]) -> Figure:
    """Mass that the periodic wrap of the authors' scripts leaves of a galaxy near a plane of the box.

    To see: a galaxy on the plane loses half of its mass at all radii; a galaxy 30 kpc away loses mass only at large
    radii.
    """
    fig, axes = style.new_figure(1, len(cases), width="wide", height=3.4, sharey=True, squeeze=False)
    for ax, (title, tears) in zip(axes[0], cases.items(), strict=True):
        for role, case in zip(("dark_matter", "gas", "stars"), tears, strict=True):
            where = f"{case.distance:g} kpc"
            masses = {"m_dm": case.true * u.Msun, "m_dm_torn": case.torn * u.Msun}
            columns = {"radius": radii * u.kpc, "kept": case.kept, **masses}
            curve(ax, f"{title}, {where}", columns, style.line(role), label=f"centre {where} away")
        ax.axhline(1.0, **style.line("literature", linewidth=1.0))
        radius_axis(ax, title=title, ylim=(0, 1.15))
    axes[0, 0].set_ylabel("dark matter found / true")
    axes[0, 0].legend(loc="lower left")
    return fig


def baselines(targets: Targets, errors: Mapping[str, np.ndarray]) -> Figure:
    """Error of predictors that do not look at the galaxy, which every network has to beat.

    To see: predicting the mean profile of the other galaxies gives an error of some tens of per cent; the authors'
    random draw is worse by about the square root of two.
    """
    fig, ax = style.new_figure(width="text", height=3.9)
    radius = targets.radii * u.kpc
    for name, label, role in (
        ("random", "random draw (authors' baseline)", "baseline"),
        ("mean", "mean profile of the others", "prediction"),
    ):
        value, error = errors[name], errors[f"{name}_error"]
        columns = {"radius": radius, "rms_ln_m": value, "error": error}
        curve(ax, label, columns, style.line(role), band=True)
    noise = np.sqrt(np.mean(np.minimum(poisson_error(targets.m_dm, targets.m_dm_particle), 1.0) ** 2, axis=0))
    look = style.line("literature", linewidth=1.3)
    curve(ax, "particle noise", {"radius": radius, "rms_ln_m": noise}, look, label="particle noise of the targets")
    radius_axis(ax, ylabel=LOG_ERROR, ylim=(0, 1.35 * errors["random"].max()))
    ax.legend(loc="upper center", ncols=1)
    return fig
