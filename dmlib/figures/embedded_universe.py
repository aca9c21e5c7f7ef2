"""Figures of the embedded universe: what its galaxies look like, and its relations beside the published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.visualization import make_lupton_rgb
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..gallery import Portrait
from ..validation import Comparison, Rotation
from . import style

_FORMING, _QUENCHED = style.COLOURS["embedded"], style.COLOURS["stars"]

#: What the axes of a relation say: (title, x, y).
_LABELS = {
    "stellar_to_halo": ("Stars in a halo", r"log $M_{200}$ [M$_\odot$]", r"log $M_\star$ [M$_\odot$]"),
    "concentration": ("Concentration", r"log $M_{200}$ [M$_\odot$]", r"log $c_{200}$"),
    "size": ("Size of the stars", r"log $M_\star$ [M$_\odot$]", r"log $R_{1/2}$ ($r$ band) [kpc]"),
    "sequence": ("Star formation", r"log $M_\star$ [M$_\odot$]", r"log SFR [M$_\odot$ yr$^{-1}$]"),
    "stellar_metallicity": ("Metals in stars", r"log $M_\star$ [M$_\odot$]", r"log $Z_\star$ / 0.0127"),
    "age": ("Age of the stars", r"log $M_\star$ [M$_\odot$]", r"log age ($r$ band) [Gyr]"),
    "hi_mass": ("HI at a stellar mass", r"log $M_\star$ [M$_\odot$]", r"log $M_{\rm HI}/M_\star$"),
    "hi_at_ssfr": ("HI at a star-formation rate", r"log SFR$/M_\star$ [yr$^{-1}$]", r"log $M_{\rm HI}/M_\star$"),
    "hi_size": ("Size of the HI", r"log $M_{\rm HI}$ [M$_\odot$]", r"log $D_{\rm HI}$ [kpc]"),
    "gas_metallicity": ("Metals in gas", r"log $M_\star$ [M$_\odot$]", "12 + log(O/H)"),
}


def gallery(portraits: Mapping[str, Portrait]) -> Figure:
    """A few galaxies: starlight face-on and edge-on, HI face-on, and the motion of the HI at 60 degrees.

    To see: discs, bulges, arms, bars and warps; velocity fields that are regular in quiet galaxies and twisted in
    warped or disturbed ones; HI that reaches well beyond the stars of star-forming galaxies.
    """
    n = len(portraits)
    ratios = {"height_ratios": [1.0] * n + [0.05]}
    fig, axes = style.new_figure(n + 1, 4, width="wide", height=2.0 * n + 0.8, squeeze=False, gridspec_kw=ratios)
    for row, (title, p) in zip(axes[:n], portraits.items(), strict=True):
        extent = (-p.half_width, p.half_width, -p.half_width, p.half_width)
        for ax, image in zip(row[:2], (p.face_on, p.edge_on), strict=True):
            ax.imshow(_colour(image), extent=extent)
        gas = row[2].imshow(np.maximum(p.hi, 1e-3), extent=extent, cmap=style.DENSITY, norm=LogNorm(0.1, 20.0))
        speed = row[3].imshow(p.velocity, extent=extent, cmap=style.VELOCITY, vmin=-250.0, vmax=250.0)
        for ax in row:
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            ax.spines[:].set_visible(False)
        row[0].set_ylabel(title, fontsize=11)
        bar = 10.0 if p.half_width > 15.0 else 5.0
        left, low = -0.88 * p.half_width, -0.86 * p.half_width
        row[0].plot([left, left + bar], [low, low], color="white", linewidth=2.5, solid_capstyle="butt")
        row[0].text(left, low + 0.06 * p.half_width, f"{bar:.0f} kpc", color="white", fontsize=9)
        centre = p.hi.shape[0] // 2
        x = (np.arange(p.hi.shape[1]) + 0.5) / p.hi.shape[1] * 2 * p.half_width - p.half_width
        style.plotted(
            fig,
            f"{title}, cut along x",
            subhalo_id=p.subhalo_id,
            x=x * u.kpc,
            light_r=p.face_on[centre, :, 1],
            hi=p.hi[centre] * u.Msun / u.pc**2,
            velocity=p.velocity[centre] * u.km / u.s,
        )
    heads = ("starlight, face-on", "starlight, edge-on", "HI, face-on", "HI velocity, 60°")
    for ax, head in zip(axes[0], heads, strict=True):
        ax.set_title(head, fontsize=10.5)
    for ax in axes[n, :2]:
        ax.remove()
    fig.colorbar(gas, cax=axes[n, 2], orientation="horizontal", label=r"M$_\odot$ pc$^{-2}$")
    fig.colorbar(speed, cax=axes[n, 3], orientation="horizontal", label=r"km s$^{-1}$")
    return fig


def _colour(light):
    """Red, green and blue of i, r, g light: arcsinh stretch (Lupton et al. 2004), white balance of an evolved disc."""
    balanced = light * np.array([0.78, 1.0, 1.62])
    bright = np.percentile(balanced[..., 1], 99.7)
    return make_lupton_rgb(*(balanced[..., i] / bright for i in range(3)), stretch=0.12, Q=9.0)


def relations(comparisons: Mapping[str, Comparison], names: Sequence[str], ncols: int = 2) -> Figure:
    """Measured relations beside the published ones, one a panel.

    To see: points are galaxies, the dashed grey line is the published median, with its scatter as a band where the
    source gives one; where the relation depends on the type, its two branches are drawn. The numbers are the median
    offset from that median and the scatter about it, in dex.
    """
    nrows = -(-len(names) // ncols)
    fig, axes = style.new_figure(nrows, ncols, width="text", height=2.7 * nrows, squeeze=False)
    for ax, name in zip(axes.flat, names, strict=False):
        _relation(fig, ax, comparisons[name])
    for ax in axes.flat[len(names) :]:
        ax.remove()
    handles, labels = axes.flat[0].get_legend_handles_labels()
    _readable(fig.legend(handles, labels, loc="outside lower center", ncols=3))
    return fig


def _cloud(ax, x, y, quenched, size: float) -> None:
    """Galaxies by type, each type with its own colour and marker."""
    for chosen, colour, marker, label in (
        (~quenched, _FORMING, "o", "star-forming"),
        (quenched, _QUENCHED, "s", "quenched"),
    ):
        how = {"color": colour, "marker": marker, "markersize": size, "linestyle": "none", "alpha": 0.75}
        ax.plot(x[chosen], y[chosen], label=label, markeredgewidth=0.3, markeredgecolor="white", **how)


def _readable(legend) -> None:
    """Markers of a legend at a size and strength that show their colour, however small the points are."""
    for handle in legend.get_lines():
        handle.set(alpha=1.0, markersize=7.0)


def _signed(value: float) -> str:
    """Two decimals with a sign, a true minus, and no sign on nothing."""
    return "0.00" if abs(value) < 0.005 else f"{value:+.2f}".replace("-", "\u2212")


def _relation(fig, ax, c: Comparison) -> None:
    title, x_label, y_label = _LABELS[c.name]
    _cloud(ax, c.x, c.y, c.quenched, 3.8)
    for chosen, label in ((~c.quenched, "star-forming"), (c.quenched, "quenched")):
        style.plotted(fig, f"{c.name}, {label}", x=c.x[chosen], y=c.y[chosen], published=c.expected[chosen])
    branches = [np.ones(c.n, dtype=bool)]
    if c.name == "size":
        branches = [~c.quenched, c.quenched]
    for i, branch in enumerate(branches):
        order = np.argsort(c.x[branch])
        x, y = c.x[branch][order], c.expected[branch][order]
        if np.isfinite(c.published_scatter):
            low, high = y - c.published_scatter, y + c.published_scatter
            ax.fill_between(x, low, high, color=style.COLOURS["literature"], alpha=0.18, linewidth=0)
        ax.plot(x, y, label="published median" if i == 0 else None, **style.line("literature", linewidth=2.0))
    low, high = np.percentile(c.y, [0.5, 99.5])
    left, right = np.percentile(c.x, [0.2, 99.8])
    margin, side = 0.18 * (high - low), 0.04 * (right - left)
    ax.set(title=title, xlabel=x_label, ylabel=y_label, ylim=(low - margin, high + 3.2 * margin))
    ax.set_xlim(left - side, right + side)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    note = f"offset {_signed(c.offset)}, scatter {c.scatter:.2f}\nn = {c.n}"
    ax.text(0.03, 0.97, note, transform=ax.transAxes, va="top", fontsize=9.5, color="#444444")


def rotation_curves(curves: Mapping[str, Rotation]) -> Figure:
    """HI rotation beside the circular speed of all matter, galaxy by galaxy.

    To see: averaged over rings about its own axis, the gas of quiet galaxies turns at the circular speed within a few
    per cent; in disturbed ones it may fall short of it, or turn the other way. The dotted line is the HI radius.
    """
    fig, axes = style.new_figure(
        -(-len(curves) // 3), 3, width="wide", height=2.6 * -(-len(curves) // 3), squeeze=False
    )
    for ax, (title, c) in zip(axes.flat, curves.items(), strict=False):
        ax.plot(c.radius, c.v_circ, label=r"$\sqrt{GM/R}$, all matter", **style.line("total"))
        ax.plot(c.radius, c.v_phi, label="HI rotation", **style.points("embedded", markersize=5))
        ax.axvline(c.r_hi, color=style.COLOURS["reject"], linewidth=1.0, linestyle=":")
        ax.set(title=title, xlabel="$R$ [kpc]", xlim=(0, None))
        low = min(0.0, 1.1 * np.nanmin(c.v_phi)) if np.isfinite(c.v_phi).any() else 0.0
        ax.set_ylim(low, 1.25 * c.v_circ.max())
        speeds = {"v_phi": c.v_phi * u.km / u.s, "v_circ": c.v_circ * u.km / u.s}
        style.plotted(fig, title, subhalo_id=c.subhalo_id, radius=c.radius * u.kpc, **speeds)
    for ax in axes.flat[len(curves) :]:
        ax.remove()
    for ax in axes[:, 0]:
        ax.set_ylabel("speed [km s$^{-1}$]")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2)
    return fig


def rotation_agreement(quiet: Sequence[Rotation], disturbed: Sequence[Rotation]) -> Figure:
    """HI rotation over circular speed against radius, for all galaxies with enough gas.

    To see: most galaxies keep within a few per cent over the whole disc, a little above unity at middle radii, where
    the disc's own flattened mass pulls more than a sphere would; some of the disturbed minority are far off.
    """
    fig, ax = style.new_figure(width="text", height=3.9)
    for curves, role, label in ((disturbed, "reject", "disturbed"), (quiet, "embedded", "quiet")):
        colour = style.COLOURS["accent"] if role == "reject" else style.COLOURS[role]
        x = np.concatenate([c.radius / c.r_hi for c in curves])
        y = np.concatenate([c.v_phi / c.v_circ for c in curves])
        good = np.isfinite(y)
        # The disturbed ones beside the quiet ones, not on them.
        marker, alpha, aside = ("o", 0.25, -0.008) if label == "quiet" else ("^", 0.6, 0.014)
        how = {"color": colour, "alpha": alpha, "marker": marker, "markersize": 3.6, "linestyle": "none", "mew": 0}
        ax.plot(x[good] + aside, y[good], **how)
        at = np.round(x, 5)
        centres = np.unique(at[good])
        rows = [np.percentile(y[good & (at == v)], [16, 50, 84]) for v in centres]
        low, middle, high = np.array(rows).T
        ax.fill_between(centres, low, high, color=colour, alpha=0.15, linewidth=0)
        dash = "-" if label == "quiet" else "--"
        name = f"{label}, {len(curves)} galaxies"
        ax.plot(centres, middle, color=colour, linestyle=dash, marker=marker, markersize=6, label=name)
        style.plotted(fig, label, radius_over_r_hi=centres, p16=low, median=middle, p84=high)
    ax.axhline(1.0, color=style.COLOURS["total"], linewidth=0.8)
    ax.set(xlabel=r"$R\,/\,R_{\rm HI}$", ylabel=r"$V_\phi({\rm HI})\,/\,\sqrt{GM/R}$", ylim=(0.65, 1.25))
    ax.legend(loc="lower right")
    return fig


def dark_fraction(table: QTable, quenched: np.ndarray) -> Figure:
    """Dark matter's share of the mass within the stellar half-mass radius.

    To see: about half of the mass within the half-mass radius is dark, least where haloes turn most of their gas into
    stars; quenched galaxies, which are smaller at a given mass, hold less. Shaded: where the medians of TNG lie (Lovell
    et al. 2018).
    """
    fig, ax = style.new_figure(width="text", height=3.9)
    x, y = np.log10(table["m_star"].to_value(u.Msun)), np.asarray(table["f_dm"])
    _cloud(ax, x, y, quenched, 4.2)
    for chosen, label in ((~quenched, "star-forming"), (quenched, "quenched")):
        style.plotted(fig, label, log_m_star=x[chosen], f_dm=y[chosen])
    edges = np.percentile(x, np.linspace(0, 100, 8))
    middle = 0.5 * (edges[1:] + edges[:-1])
    medians = [np.median(y[(x >= a) & (x <= b)]) for a, b in pairwise(edges)]
    ax.plot(middle, medians, color=style.COLOURS["total"], label="median", linewidth=2.2)
    style.plotted(fig, "median", log_m_star=middle, f_dm=medians)
    ax.axhspan(0.5, 1.0, color=style.COLOURS["tng"], alpha=0.10, linewidth=0, label="medians of TNG")
    ax.set(xlabel=r"log $M_\star$ [M$_\odot$]", ylabel=r"$M_{\rm DM}/M$ within $r_{1/2}$", ylim=(0, 1.22))
    ax.set_xlim(*np.percentile(x, [0.2, 99.8]) + np.array([-0.05, 0.05]))
    _readable(ax.legend(loc="upper left", ncols=2))
    return fig
