"""Figures of the chapters on the simulation, the selection of galaxies, and their target profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ..published_script_bugs import TornProfile
from ..sample import Criteria, Funnel
from ..targets import CountNoise, Targets, group_over_subhalo, poisson_error
from . import style
from .panels import KMS, LOG_ERROR, STELLAR_MASS, curve, grid, plain, positive, radius_axis, thousands

#: Gravitational softening of TNG100-1 at z = 0 [kpc], 0.5 kpc/h (Nelson et al. 2019, table 1).
SOFTENING = 0.738

#: Rows of the paper's table of cuts.
_CUTS = ("all subhaloes", "stellar mass", "star formation", "central", "cosmological origin")


def funnel(ours: Funnel, ours_true: Funnel, record: Mapping[str, Any]) -> Figure:
    """Subhaloes left after each row of the paper's table, here and on real rows of the catalogue.

    To see: on the real rows the mass limit removes nearly everything, and the next row the quenched galaxies; the
    criterion SubhaloParent = 0 removes next to nothing, while there are only half as many true centrals.
    """
    fig, axes = style.new_figure(1, 2, height=3.7, sharey=True)
    real = record["measured"]["funnels"]["all"]
    panels = {
        ours.simulation.replace("embedded-", "embedded universe, "): (ours.counts, ours_true.counts, "embedded"),
        "real TNG100-1 rows (a record)": (real["paper"], real["true"], "tng"),
    }
    for ax, (title, (counts, true, role)) in zip(axes, panels.items(), strict=True):
        names, y = list(counts), np.arange(len(counts))
        kept, central = (np.array([numbers[name] for name in names]) for numbers in (counts, true))
        changed = central != kept
        bars = ax.barh(y, kept, color=style.COLOURS[role], height=0.62, alpha=0.9)
        ax.barh(y[changed], central[changed], color=style.COLOURS["accent"], height=0.3)
        pairs = zip(kept, central, strict=True)
        labels = [thousands(number) + (f"  (true: {true})" if true != number else "") for number, true in pairs]
        ax.bar_label(bars, labels, padding=5, fontsize=10)
        style.plotted(fig, title, cut=names, kept=kept)
        style.plotted(fig, f"{title}, true centrals", cut=names, kept=central)
        ax.set(xscale="log", xlabel="subhaloes left", title=title, xlim=(8, kept.max() * 20))
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(_CUTS)), _CUTS)
    axes[0].set_ylim(len(_CUTS) - 0.5, -0.5)
    return fig


def centrals(ours: Mapping[str, int], name: str, record: Mapping[str, Any]) -> Figure:
    """Centrals and satellites among the subhaloes with SubhaloParent = 0.

    To see: on the real rows the field does not single out centrals; about half of the galaxies that the paper's table
    keeps are satellites.
    """
    fig, axes = style.new_figure(1, 2, height=2.9)
    paper, true = (record["measured"]["funnels"]["all"][meaning]["flag"] for meaning in ("paper", "true"))
    zero = record["measured"]["parent_zero"]
    # All, and satellites among them: here, and on the real rows.
    here = [(ours[key], ours[f"{key}_satellites"]) for key in ("parent_zero", "kept")]
    there = [(zero["all"], zero["satellites_among_them"]), (paper, paper - true)]
    names = ("all with SubhaloParent = 0", "kept by the paper's table")
    for ax, title, *pairs in zip(axes, names, here, there, strict=True):
        for i, (label, (total, satellite)) in enumerate(zip((name, "real rows"), pairs, strict=True)):
            central = total - satellite
            bars = (("central", central, 0, "dark_matter"), ("satellite", satellite, central, "stars"))
            for kind, count, start, role in bars:
                share, left = count / total, start / total
                ax.barh(i, share, left=left, color=style.COLOURS[role], height=0.55, label=kind if i == 0 else None)
                if share > 0.15:
                    ax.text(left + share / 2, i, count, color="white", ha="center", va="center", weight="bold")
                elif count:
                    # The bar is too narrow for its number.
                    ax.text(1.02, i, f"{count}\n{kind}{'s' * (kind == 'satellite')}", va="center", fontsize=9)
            style.plotted(fig, f"{title}: {label}", central=central, satellite=satellite)
        ax.set(title=title, xlim=(0, 1.28), xlabel="fraction", xticks=[0, 0.5, 1], ylim=(1.6, -0.6))
        ax.set_yticks([0, 1], [name.split("-")[0], "real rows"])
        ax.grid(axis="y", visible=False)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return fig


def whole_box(ours: Mapping[str, int], name: str, real: Mapping[str, int]) -> Figure:
    """What the paper's table leaves of the universe of this run and of the whole TNG100, with true centrals.

    To see: a third to a half of the galaxies in the mass range are satellites, and of the centrals one in four does
    not form enough stars; the order of the cuts differs from the table's.
    """
    fig, axes = style.new_figure(1, 2, height=2.5, sharey=True)
    cuts = ("in the mass range", "of these, true centrals", "of these, forming stars")
    name = name.replace("embedded-", "embedded universe, ")
    panels = {name: (ours, "embedded"), "TNG100-1, whole box (a record)": (real, "tng")}
    for ax, (title, (counts, role)) in zip(axes, panels.items(), strict=True):
        kept = np.array([counts[key] for key in ("mass", "centrals", "selected_centrals")])
        bars = ax.barh(range(len(cuts)), kept, color=style.COLOURS[role], height=0.6, alpha=0.9)
        ax.bar_label(bars, [thousands(number) for number in kept], padding=5, fontsize=10)
        style.plotted(fig, title, cut=list(cuts), kept=kept)
        ax.set(title=title, xlabel="galaxies", xlim=(0, 1.25 * kept.max()), ylim=(2.5, -0.5))
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(cuts)), cuts)
    return fig


def mass_sfr(subhalos: QTable, kept: np.ndarray, criteria: Criteria, faulty_limit: float) -> Figure:
    """Stellar mass and star formation rate of all subhaloes, with the paper's cuts.

    To see: the mass limit cuts through the star-forming sequence, quenched galaxies lie below the lower edge; the
    dashed line is the mass limit of the authors' query.
    """
    fig, ax = style.new_figure(height=4.4)
    m_star = subhalos["SubhaloMassType"][:, 4].to_value(u.Msun)
    sfr = subhalos["SubhaloSFR"].to_value(u.Msun / u.yr)
    floor, shown = 0.002, m_star > 1e9
    for name, chosen, look in (
        ("not selected", ~kept, style.points("reject", markersize=4, alpha=0.8)),
        ("selected", kept, style.points("embedded", markersize=4.2, alpha=0.75)),
    ):
        mask = shown & chosen
        ax.plot(m_star[mask], np.maximum(sfr[mask], floor), label=f"{name} ({mask.sum()})", **look)
        style.plotted(fig, name, m_star=m_star[mask] * u.Msun, sfr=sfr[mask] * u.Msun / u.yr)
    top = 10 ** np.ceil(np.log10(sfr.max()) + 0.2)
    left, right, lower = criteria.m_star_min, criteria.m_star_max, criteria.sfr_min
    limits = [left, left, right, right], [top, lower, lower, top]
    ax.plot(*limits, color=style.COLOURS["accent"], linewidth=1.4, label="cuts of the paper")
    ax.axvline(faulty_limit, label="mass limit of the scripts", **style.line("literature", linewidth=1.3))
    ax.set(xscale="log", yscale="log", xlabel=STELLAR_MASS, ylabel=r"star formation rate [M$_\odot$ yr$^{-1}$]")
    ax.set(xlim=(1e9, 1.6e12), ylim=(floor * 0.6, top))
    ax.text(1.1e9, floor, r"$\leq$ 0.002", fontsize=9, va="bottom", color="#555555")
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return fig


def v_circ(radii: np.ndarray, speeds: Mapping[str, np.ndarray]) -> Figure:
    """Circular velocity of one galaxy and the contributions of dark matter, stars and gas.

    To see: stars and gas matter in the centre and lose weight outwards, where nearly all the mass is dark matter; the
    contributions add in quadrature.
    """
    fig, ax = style.new_figure(height=3.9)
    for key, label in (("total", "total"), ("dm", "dark matter"), ("stars", "stars"), ("gas", "gas")):
        curve(ax, label, {"radius": radii * u.kpc, "v_circ": speeds[key] * KMS}, label.replace(" ", "_"))
    radius_axis(ax, xlim=(radii[0], radii[-1]), ylim=(0, 1.25 * np.max(speeds["total"])))
    ax.set_ylabel("circular speed [km s$^{-1}$]")
    ax.legend(ncols=2, loc="upper left")
    return fig


def profiles(targets: Targets, mean: np.ndarray, spread: np.ndarray) -> Figure:
    """The targets: dark-matter mass within each radius of every galaxy of the sample.

    To see: all profiles rise by a factor of several hundred and hardly cross. Galaxies differ mainly in normalisation,
    which follows the stellar mass (colour), and less in slope.
    """
    fig, ax = style.new_figure(height=4.7)
    colours = ScalarMappable(LogNorm(targets.m_star.min(), targets.m_star.max()), style.SEQUENTIAL)
    radius = targets.radii * u.kpc
    for row in np.argsort(targets.m_star):
        mass, colour = targets.m_dm[row], colours.to_rgba(targets.m_star[row])
        ax.plot(targets.radii, positive(mass), color=colour, linewidth=0.7, alpha=0.55)
        style.plotted(fig, f"subhalo {targets.subhalo_id[row]}", radius=radius, m_dm=mass * u.Msun)
    for sign, label in ((0, "mean of ln M"), (1, r"mean $\pm$ spread"), (-1, None)):
        mass, width, dash = np.exp(mean + sign * spread), 1.3 if sign else 2.2, style.SHORT if sign else "-"
        ax.plot(targets.radii, mass, color="white", linewidth=3.0 if sign else 4.2)
        ax.plot(targets.radii, mass, label=label, **style.line("prediction", linewidth=width, linestyle=dash))
    style.plotted(fig, "mean of ln M", radius=radius, m_dm=np.exp(mean) * u.Msun, ln_spread=spread)
    radius_axis(ax, yscale="log", ylabel=r"dark matter within $R$ [M$_\odot$]")
    fig.colorbar(colours, ax=ax, label=STELLAR_MASS, pad=0.02)
    ax.legend(loc="lower right")
    return fig


def scopes(targets: Targets) -> Figure:
    """Dark mass of the FoF group over that bound to the subhalo, for centrals and satellites.

    To see: for centrals the two targets differ little, and only at large radii; the group profile around a satellite
    is soon dominated by the matter of its host.
    """
    fig, ax = style.new_figure(height=4.0)
    ratio = group_over_subhalo(targets)
    central = targets.is_true_central
    # Centrals stay close to one: drawn first, they would be hidden under the satellites.
    for kind, mask, role in (("satellite", ~central, "stars"), ("central", central, "dark_matter")):
        look = style.line(role, linestyle="-", linewidth=0.8, alpha=0.5)
        for k, row in enumerate(np.flatnonzero(mask)):
            columns = {"radius": targets.radii * u.kpc, "group_over_subhalo": ratio[row]}
            label = "" if k else f"{kind}s ({mask.sum()})"
            curve(ax, f"{kind} {targets.subhalo_id[row]}", columns, look, label=label)
    radius_axis(ax, yscale="log", ylabel="dark matter, group / subhalo")
    plain(ax.yaxis)
    for handle in ax.legend(loc="upper left").legend_handles:
        handle.set(alpha=1, linewidth=2)
    return fig


def noise(radii: np.ndarray, measured: Mapping[str, CountNoise]) -> Figure:
    """Scatter of the mass within each radius because it is counted in particles.

    To see: the points, which were measured by drawing the same haloes many times, lie on the lines of 1/sqrt(N); at 1
    kpc the target is uncertain because few particles lie within. At the shaded radii the force in TNG100-1 is softened,
    and the simulated profile cannot be trusted however many particles there are.

    Parameters
    ----------
    radii : ndarray, shape (r,)
        [kpc]
    measured : mapping
        Label -> scatter of haloes that were drawn many times, from the heaviest particles to the lightest.
    """
    fig, ax = style.new_figure(height=3.9)
    ax.axvspan(1.0, 2.8 * SOFTENING, color=style.COLOURS["literature"], alpha=0.15, linewidth=0)
    ax.text(1.04, 0.0012, "softened\nforce of\nTNG100-1", fontsize=9, va="bottom", color="#444444")
    radius = radii * u.kpc
    for (label, found), role in zip(measured.items(), ("alternative", "embedded", "tng"), strict=True):
        low, middle, high = np.nanpercentile(found.relative, [16, 50, 84], axis=0)
        expected = np.nanmedian(found.poisson, axis=0)
        curve(ax, f"Poisson, {label}", {"radius": radius, "relative": expected}, role, label="", linewidth=1.1)
        columns = {"radius": radius, "relative": middle, "low": low, "high": high}
        dots = style.points(role, markersize=4.5, linewidth=0.9)
        curve(ax, f"measured, {label}", columns, dots, label=label, bars=np.stack([middle - low, high - middle]))
    radius_axis(ax, yscale="log", ylabel="relative scatter of the target", ylim=(1e-3, 2.0))
    ax.legend(loc="upper right", title="profile: mass of a particle", title_fontsize=9)
    return fig


def torn(radii: np.ndarray, cases: Mapping[str, Sequence[TornProfile]]) -> Figure:
    """Mass that the periodic wrap of the authors' scripts leaves of a galaxy near a plane of the box.

    To see: a galaxy on the plane loses half of its mass at all radii; a galaxy 30 kpc away loses mass only at large
    radii.
    """
    fig, _, panels = grid(len(cases), len(cases), 3.4, sharey=True, ylabel="dark matter found / true")
    for ax, (title, tears) in zip(panels, cases.items(), strict=True):
        for role, case in zip(("dark_matter", "gas", "stars"), tears, strict=True):
            where, masses = f"{case.distance:g} kpc", {"m_dm": case.true * u.Msun, "m_dm_torn": case.torn * u.Msun}
            columns = {"radius": radii * u.kpc, "kept": case.kept, **masses}
            curve(ax, f"{title}, {where}", columns, role, label=f"centre {where} away")
        ax.axhline(1.0, **style.line("literature", linewidth=1.0))
        radius_axis(ax, title=title, ylim=(0, 1.15))
    panels[0].legend(loc="lower left")
    return fig


def baselines(targets: Targets, errors: Mapping[str, np.ndarray]) -> Figure:
    """Error of predictors that do not look at the galaxy, which every network has to beat.

    To see: predicting the mean profile of the other galaxies gives an error of some tens of per cent; the authors'
    random draw is worse by about the square root of two.
    """
    fig, ax = style.new_figure(height=3.9)
    radius = targets.radii * u.kpc
    labels = {"random": "random draw (authors' baseline)", "mean": "mean profile of the others"}
    for (name, label), role in zip(labels.items(), ("baseline", "prediction"), strict=True):
        columns = {"radius": radius, "rms_ln_m": errors[name], "error": errors[f"{name}_error"]}
        curve(ax, label, columns, role, band=True)
    noise = np.sqrt(np.mean(np.minimum(poisson_error(targets.m_dm, targets.m_dm_particle), 1.0) ** 2, axis=0))
    columns, label = {"radius": radius, "rms_ln_m": noise}, "particle noise of the targets"
    curve(ax, "particle noise", columns, "literature", label=label, linewidth=1.3)
    radius_axis(ax, ylabel=LOG_ERROR, ylim=(0, 1.35 * errors["random"].max()))
    ax.legend(loc="upper center", ncols=1)
    return fig
