"""Figures of the embedded universe: pictures of its galaxies, and its scaling relations beside the published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.visualization import make_lupton_rgb
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import MaxNLocator

from ..observe.images.portraits import Portrait
from ..validation import Comparison, Rotation, median_dark_fraction
from . import style
from .panels import DENSITY, KMS, curve, grid, note, picture, rows_over_bars, scale_bar, shade, signed

_LOG_STARS = r"log $M_\star$ [M$_\odot$]"

#: What the axes of a relation say: (title, x, y).
_LABELS = {
    "stellar_to_halo": ("Stars in a halo", r"log $M_{200}$ [M$_\odot$]", _LOG_STARS),
    "concentration": ("Concentration", r"log $M_{200}$ [M$_\odot$]", r"log $c_{200}$"),
    "size": ("Size of the stars", _LOG_STARS, r"log $R_{1/2}$ ($r$ band) [kpc]"),
    "sequence": ("Star formation", _LOG_STARS, r"log SFR [M$_\odot$ yr$^{-1}$]"),
    "stellar_metallicity": ("Metals in stars", _LOG_STARS, r"log $Z_\star$ / 0.0127"),
    "age": ("Age of the stars", _LOG_STARS, r"log age ($r$ band) [Gyr]"),
    "hi_mass": ("HI at a stellar mass", _LOG_STARS, r"log $M_{\rm HI}/M_\star$"),
    "hi_at_ssfr": ("HI at a star-formation rate", r"log SFR$/M_\star$ [yr$^{-1}$]", r"log $M_{\rm HI}/M_\star$"),
    "hi_size": ("Size of the HI", r"log $M_{\rm HI}$ [M$_\odot$]", r"log $D_{\rm HI}$ [kpc]"),
    "gas_metallicity": ("Metals in gas", _LOG_STARS, "12 + log(O/H)"),
}


def gallery(portraits: Mapping[str, Portrait]) -> Figure:
    """A few galaxies: starlight face-on and edge-on, HI face-on, and the velocity field of the HI at 60 degrees.

    To see: discs, bulges, arms, bars and warps; velocity fields that are regular in undisturbed galaxies and twisted in
    warped or disturbed ones; HI that extends well beyond the stars of star-forming galaxies.
    """
    fig, axes, bars = rows_over_bars(len(portraits), 4, 2.0, 0.8, 0.05)
    for row, (title, p) in zip(axes, portraits.items(), strict=True):
        extent = (-p.half_width, p.half_width, -p.half_width, p.half_width)
        for ax, light in zip(row[:2], (p.face_on, p.edge_on), strict=True):
            picture(ax, _colour(light), extent=extent)
        gas = picture(row[2], np.maximum(p.hi, 1e-3), style.DENSITY, extent=extent, norm=LogNorm(0.1, 20.0))
        speed = picture(row[3], p.velocity, style.VELOCITY, -250.0, 250.0, extent=extent)
        row[0].set_ylabel(title, fontsize=11)
        scale_bar(row[0], p.half_width, 10.0 if p.half_width > 15.0 else 5.0)
        centre, n = p.hi.shape[0] // 2, p.hi.shape[1]
        x = (np.arange(n) + 0.5) / n * 2 * p.half_width - p.half_width
        cut = {"light_r": p.face_on[centre, :, 1], "hi": p.hi[centre] * DENSITY, "velocity": p.velocity[centre] * KMS}
        style.plotted(fig, f"{title}, cut along x", subhalo_id=p.subhalo_id, x=x * u.kpc, **cut)
    heads = ("starlight, face-on", "starlight, edge-on", "HI, face-on", "HI velocity, 60°")
    for ax, head in zip(axes[0], heads, strict=True):
        ax.set_title(head, fontsize=10.5)
    bars[0].remove()
    bars[1].remove()
    fig.colorbar(gas, cax=bars[2], orientation="horizontal", label=r"M$_\odot$ pc$^{-2}$")
    fig.colorbar(speed, cax=bars[3], orientation="horizontal", label=r"km s$^{-1}$")
    return fig


def _colour(light: np.ndarray) -> np.ndarray:
    """Red, green and blue of i, r, g light: arcsinh stretch (Lupton et al. 2004), white balance of an evolved disc."""
    balanced = light * np.array([0.78, 1.0, 1.62])
    bright = np.percentile(balanced[..., 1], 99.7)
    return make_lupton_rgb(*(balanced[..., i] / bright for i in range(3)), stretch=0.12, Q=9.0)


def relations(comparisons: Mapping[str, Comparison], names: Sequence[str]) -> Figure:
    """Measured relations beside the published ones, one in each panel.

    To see: points are galaxies, the dashed grey line is the published median, with its scatter as a band where the
    source gives one; where the relation depends on the type, its two branches are drawn. The numbers are the median
    offset from the published median and the scatter about it, in dex.
    """
    fig, _, panels = grid(len(names), 2, 2.7, width=style.TEXT)
    for ax, name in zip(panels, names, strict=True):
        _relation(ax, comparisons[name])
    _readable(fig.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3))
    return fig


def _cloud(ax: Axes, quenched: np.ndarray, size: float, prefix: str, **columns: np.ndarray) -> None:
    """Draw and record galaxies by type, each type with its own colour and marker."""
    dots = {"markersize": size, "alpha": 0.75, "markeredgewidth": 0.3, "markeredgecolor": "white"}
    types = ("star-forming", ~quenched, "embedded", "o"), ("quenched", quenched, "stars", "s")
    for label, chosen, role, marker in types:
        rows = {name: values[chosen] for name, values in columns.items()}
        curve(ax, prefix + label, rows, style.points(role, marker=marker, **dots), label=label)


def _readable(legend: Legend) -> None:
    """Draw the markers of a legend large and opaque enough to show their colour, however small the points are."""
    for handle in legend.get_lines():
        handle.set(alpha=1.0, markersize=7.0)


def _relation(ax: Axes, c: Comparison) -> None:
    title, x_label, y_label = _LABELS[c.name]
    _cloud(ax, c.quenched, 3.8, f"{c.name}, ", x=c.x, y=c.y, published=c.expected)
    branches = [~c.quenched, c.quenched] if c.name == "size" else [np.ones(c.n, dtype=bool)]
    for i, branch in enumerate(branches):
        x, y = c.x[branch], c.expected[branch]
        x, y = x[np.argsort(x)], y[np.argsort(x)]
        if np.isfinite(c.published_scatter):
            shade(ax, x, y - c.published_scatter, y + c.published_scatter, "literature")
        ax.plot(x, y, label="published median" if i == 0 else None, **style.line("literature", linewidth=2.0))
    low, high = np.percentile(c.y, [0.5, 99.5])
    left, right = np.percentile(c.x, [0.2, 99.8])
    margin, side = 0.18 * (high - low), 0.04 * (right - left)
    ax.set(title=title, xlabel=x_label, ylabel=y_label, ylim=(low - margin, high + 3.2 * margin))
    ax.set_xlim(left - side, right + side)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    words = f"offset {signed(c.offset, 2)}, scatter {c.scatter:.2f}\nn = {c.n}"
    note(ax, 0.03, 0.97, words, va="top", fontsize=9.5, color="#444444")


def rotation_curves(curves: Mapping[str, Rotation]) -> Figure:
    """HI rotation beside the circular velocity of all matter, galaxy by galaxy.

    To see: averaged over rings about its own axis, the gas of undisturbed galaxies rotates at the circular velocity to
    within a few per cent; in disturbed ones it may be slower or counter-rotate. The dotted line is the HI radius.
    """
    fig, _, panels = grid(len(curves), 3, 2.6, ylabel="speed [km s$^{-1}$]")
    for ax, (title, c) in zip(panels, curves.items(), strict=True):
        ax.plot(c.radius, c.v_circ, label=r"$\sqrt{GM/R}$, all matter", **style.line("total"))
        ax.plot(c.radius, c.v_phi, label="HI rotation", **style.points("embedded", markersize=5))
        ax.axvline(c.r_hi, color=style.COLOURS["reject"], linewidth=1.0, linestyle=":")
        low = min(0.0, 1.1 * np.min(c.v_phi[np.isfinite(c.v_phi)], initial=0.0))
        ax.set(title=title, xlabel="$R$ [kpc]", xlim=(0, None), ylim=(low, 1.25 * c.v_circ.max()))
        speeds = {"v_phi": c.v_phi * KMS, "v_circ": c.v_circ * KMS}
        style.plotted(fig, title, subhalo_id=c.subhalo_id, radius=c.radius * u.kpc, **speeds)
    fig.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return fig


def rotation_agreement(quiet: Sequence[Rotation], disturbed: Sequence[Rotation]) -> Figure:
    """HI rotation over circular velocity against radius, for all galaxies with enough gas.

    To see: most galaxies agree to within a few per cent over the whole disc, slightly above unity at middle radii,
    where the flattened mass of the disc attracts more than a sphere would; some of the disturbed minority deviate
    strongly.
    """
    fig, ax = style.new_figure(height=3.9)
    # The points of disturbed galaxies are drawn beside those of the quiet ones, not on them.
    for curves, role, label, marker, dash, alpha, aside in (
        (disturbed, "accent", "disturbed", "^", "--", 0.6, 0.014),
        (quiet, "embedded", "quiet", "o", "-", 0.25, -0.008),
    ):
        x = np.concatenate([c.radius / c.r_hi for c in curves])
        y = np.concatenate([c.v_phi / c.v_circ for c in curves])
        good = np.isfinite(y)
        ax.plot(x[good] + aside, y[good], **style.points(role, marker=marker, alpha=alpha, markersize=3.6, mew=0))
        at = np.round(x, 5)
        centres = np.unique(at[good])
        low, middle, high = np.transpose([np.percentile(y[good & (at == v)], [16, 50, 84]) for v in centres])
        look, entry = style.line(role, linestyle=dash, marker=marker, markersize=6), f"{label}, {len(curves)} galaxies"
        columns = {"radius_over_r_hi": centres, "p16": low, "median": middle, "p84": high}
        curve(ax, label, columns, look, label=entry, band=(low, high), ordinate="median")
    ax.axhline(1.0, color=style.COLOURS["total"], linewidth=0.8)
    ax.set(xlabel=r"$R\,/\,R_{\rm HI}$", ylabel=r"$V_\phi({\rm HI})\,/\,\sqrt{GM/R}$", ylim=(0.65, 1.25))
    ax.legend(loc="lower right")
    return fig


def dark_fraction(table: QTable, quenched: np.ndarray) -> Figure:
    """Dark-matter fraction within the stellar half-mass radius.

    To see: about half of the mass within the half-mass radius is dark, least where haloes turn most of their gas into
    stars; quenched galaxies, which are smaller at a given mass, have less. Shaded: the range of the medians of TNG
    (Lovell et al. 2018).
    """
    fig, ax = style.new_figure(height=3.9)
    x, y = np.log10(table["m_star"].to_value(u.Msun)), np.asarray(table["f_dm"])
    _cloud(ax, quenched, 4.2, "", log_m_star=x, f_dm=y)
    log_m_star, medians = median_dark_fraction(table)
    curve(ax, "median", {"log_m_star": log_m_star, "f_dm": medians}, "total", linewidth=2.2)
    ax.axhspan(0.5, 1.0, color=style.COLOURS["tng"], alpha=0.10, linewidth=0, label="medians of TNG")
    ax.set(xlabel=_LOG_STARS, ylabel=r"$M_{\rm DM}/M$ within $r_{1/2}$", ylim=(0, 1.22))
    ax.set_xlim(*np.percentile(x, [0.2, 99.8]) + np.array([-0.05, 0.05]))
    _readable(ax.legend(loc="upper left", ncols=2))
    return fig
