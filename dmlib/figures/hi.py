"""Figures of the chapter on HI observations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy import units as u
from astropy.table import QTable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from ..observe.cube import HICube
from ..observe.moments import GlobalProfile, MomentMaps
from . import style

_PANELS = (
    ("surface_density", "moment 0", r"M$_\odot$ pc$^{-2}$"),
    ("velocity", "moment 1", r"km s$^{-1}$"),
    ("dispersion", "moment 2", r"km s$^{-1}$"),
)


def partition(edges: np.ndarray, profiles: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Surface density of atomic and molecular hydrogen in rings, for each way of dividing them.

    To see: inside, where pressure is high, the hydrogen is molecular and HI levels off near 10 Msun/pc^2; outside, all
    neutral gas is HI, whatever the recipe.
    """
    fig, ax = style.new_figure(width="text", height=3.9)
    radius = 0.5 * (edges[1:] + edges[:-1])
    looks = {
        "leroy08": ("Leroy et al. (2008)", {"linewidth": 2.2, "linestyle": "-"}),
        "blitz06": ("Blitz & Rosolowsky (2006)", {"linewidth": 1.4, "linestyle": (0, (4, 2))}),
    }
    for name, parts in profiles.items():
        recipe, how = looks[name]
        for phase, role in (("HI", "gas"), ("H2", "dark_matter")):
            values = np.where(parts[phase] > 0, parts[phase], np.nan)
            ax.plot(radius, values, label=f"{phase.replace('2', '$_2$')}, {recipe}", **style.line(role, **how))
            style.plotted(
                fig, f"{phase}, {name}", radius=radius * u.kpc, surface_density=parts[phase] * u.Msun / u.pc**2
            )
    ax.axhline(1.0, **style.line("baseline"))
    ax.annotate("edge of an HI disc", (0.4 * edges[-1], 1.0), (0, 3), textcoords="offset points", fontsize=9)
    ax.set(yscale="log", xlabel="radius in the disc [kpc]", ylabel=r"surface density [M$_\odot$ pc$^{-2}$]")
    ax.set_xlim(0, edges[-1])
    ax.set_ylim(0.03, 8.0 * max(parts[phase].max() for parts in profiles.values() for phase in parts))
    ax.legend(ncols=2, fontsize=9)
    return fig


def channels(cube: HICube, velocities: np.ndarray, maps: np.ndarray, half_width: float) -> Figure:
    """Channel maps: the HI that moves at one velocity along the line of sight, channel by channel.

    To see: the emission walks from one end of the disc to the other; near the systemic velocity it lies along the
    minor axis, at the extremes in two ends where the rotation curve is flat.
    """
    ncols = 4
    nrows = -(-len(maps) // ncols)
    fig, axes = style.new_figure(nrows, ncols, width="wide", height=1.74 * nrows, squeeze=False)
    peak = 1e3 * maps.max()
    for ax, velocity, image in zip(axes.flat, velocities, maps, strict=False):
        shown = ax.imshow(1e3 * image, extent=cube.grid.extent, cmap=style.DENSITY, vmin=-0.1 * peak, vmax=peak)
        ax.contour(1e3 * image, [3e3 * cube.settings.noise], colors="white", linewidths=0.7, extent=cube.grid.extent)
        ax.annotate(
            f"{velocity:+.0f} km s$^{{-1}}$".replace("-", "\N{MINUS SIGN}", 1),
            (0.04, 0.95),
            xycoords="axes fraction",
            va="top",
            color="white",
            fontsize=9.5,
        )
        _bare(ax, half_width)
        flux = image.sum() * cube.pixel**2 / cube.area
        style.plotted(fig, "flux of the channels shown", velocity=velocity * u.km / u.s, flux=flux * u.Jy)
    for ax in axes.flat[len(maps) :]:
        ax.remove()
    _beam(axes[0, 0], cube, half_width)
    _scale_bar(axes[-1, 0], half_width)
    fig.colorbar(shown, ax=list(axes.flat[: len(maps)]), label=f"m{cube.unit}", shrink=0.8, pad=0.01)
    return fig


def moments(rows: Mapping[str, MomentMaps], half_width: float, v_max: float) -> Figure:
    """Moment maps, one observation a row: surface density, mean velocity, dispersion of the line.

    To see: the velocity changes sign across the minor axis; the dispersion rises to the centre, where the beam mixes
    velocities of both sides.
    """
    n = len(rows)
    ratios = {"height_ratios": [1.0] * n + [0.06]}
    fig, axes = style.new_figure(n + 1, 3, width="wide", height=2.5 * n + 0.9, squeeze=False, gridspec_kw=ratios)
    for row, (title, maps) in zip(axes[:n], rows.items(), strict=True):
        shown = [_map(ax, maps, name, v_max) for ax, (name, _, _) in zip(row, _PANELS, strict=True)]
        for ax in row:
            _bare(ax, half_width)
        row[0].set_ylabel(title)
        _cut(fig, title, maps)
    _scale_bar(axes[0, 0], half_width, colour="#222222")
    for i, (_, title, unit) in enumerate(_PANELS):
        axes[0, i].set_title(title)
        fig.colorbar(shown[i], cax=axes[n, i], orientation="horizontal", label=unit)
    return fig


def inclinations(columns: Mapping[str, MomentMaps], half_width: float, v_max: float) -> Figure:
    """One galaxy from face-on to edge-on: surface density above, velocity below.

    To see: the disc gets narrower and brighter, the velocities grow with the sine of the inclination; face-on, there
    is no rotation to be seen.
    """
    n = len(columns)
    fig, axes = style.new_figure(2, n, width="wide", height=13.4 / n + 0.35, squeeze=False)
    for (density, velocity), (title, maps) in zip(axes.T, columns.items(), strict=True):
        top, bottom = _map(density, maps, "surface_density", v_max), _map(velocity, maps, "velocity", v_max)
        density.set_title(title)
        for ax in (density, velocity):
            _bare(ax, half_width)
        _cut(fig, title, maps)
    _scale_bar(axes[0, 0], half_width, colour="#222222")
    for ax, label in zip(axes[:, 0], ("surface density", "velocity"), strict=True):
        ax.set_ylabel(label)
    fig.colorbar(top, ax=axes[0], label=_PANELS[0][2], pad=0.01)
    fig.colorbar(bottom, ax=axes[1], label=_PANELS[1][2], pad=0.01)
    return fig


def position_velocity(
    cube: HICube, offsets: np.ndarray, diagram: np.ndarray, radius: np.ndarray, speed: np.ndarray, half_width: float
) -> Figure:
    """Position-velocity diagram along the major axis, with the circular speed of the mass that is there.

    To see: the emission follows the curve in the outer disc; inside, the beam smears the steep curve out into a band
    of all velocities.
    """
    fig, ax = style.new_figure(width="text", height=4.2)
    half = cube.settings.channel_width / 2
    step = cube.grid.pixel_size / 2
    extent = (offsets[0] - step, offsets[-1] + step, cube.velocities[0] - half, cube.velocities[-1] + half)
    shown = ax.imshow(1e3 * diagram, extent=extent, aspect="auto", cmap=style.DENSITY, vmin=0)
    for sign in (-1, 1):
        ax.plot(sign * radius, sign * speed, color="white", linewidth=3.2)
        label = r"circular speed $\times\ \sin i$" if sign > 0 else None
        ax.plot(sign * radius, sign * speed, label=label, **style.line("rotation", linewidth=1.8, linestyle="-"))
        style.plotted(fig, "circular speed", offset=sign * radius * u.kpc, velocity=sign * speed * u.km / u.s)
    ax.axhline(0.0, color="white", linewidth=0.6)
    ax.axvline(0.0, color="white", linewidth=0.6)
    ax.grid(False)
    ax.set(xlabel="offset along the major axis [kpc]", ylabel=r"velocity [km s$^{-1}$]")
    ax.set_xlim(-half_width, half_width)
    v_max = 1.5 * np.max(speed)
    ax.set_ylim(-v_max, v_max)
    ax.legend(loc="lower right")
    fig.colorbar(shown, ax=ax, label=f"m{cube.unit}", pad=0.02)
    peak = diagram.argmax(axis=0)
    seen = diagram.max(axis=0) > 5 * cube.settings.noise
    style.plotted(
        fig, "brightest channel", offset=offsets[seen] * u.kpc, velocity=cube.velocities[peak[seen]] * u.km / u.s
    )
    return fig


def spectra(profiles: Mapping[str, GlobalProfile]) -> Figure:
    """Global profiles: the spectrum of the whole galaxy at several inclinations.

    To see: an inclined disc has two horns, for much of its gas shares the flat part of the rotation curve; face-on
    the line is as narrow as the gas is cold. The area, hence the HI mass, is the same.
    """
    fig, ax = style.new_figure(width="text", height=3.6)
    colours = [style.COLOURS[name] for name in ("literature", "gas", "embedded", "dark_matter")]
    for (label, profile), colour in zip(profiles.items(), colours, strict=False):
        ax.step(profile.velocities, 1e3 * profile.flux_density, where="mid", label=label, color=colour)
        low, high = profile.crossings(0.5)
        ax.plot(
            [low, high], [500 * profile.flux_density.max()] * 2, color=colour, linewidth=0.8, linestyle=(0, (2, 1.5))
        )
        style.plotted(fig, label, velocity=profile.velocities * u.km / u.s, flux_density=profile.flux_density * u.Jy)
    reach = 1.25 * max(abs(v) for profile in profiles.values() for v in profile.crossings(0.2))
    ax.set(xlabel=r"velocity [km s$^{-1}$]", ylabel="flux density [mJy]", xlim=(-reach, reach))
    ax.set_ylim(bottom=min(0.0, *(1e3 * profile.flux_density.min() for profile in profiles.values())))
    ax.legend()
    return fig


def network_input(arrays: Mapping[str, np.ndarray]) -> Figure:
    """What a network reads: the three normalised maps of each view, blank pixels in grey.

    To see: the scales are the same for every galaxy and view, so that colour can be compared from row to row.
    """
    n = len(arrays)
    ratios = {"height_ratios": [1.0] * n + [0.06]}
    fig, axes = style.new_figure(n + 1, 3, width="wide", height=2.5 * n + 0.9, squeeze=False, gridspec_kw=ratios)
    looks = ((style.DENSITY, -1.2, 1.4), (style.VELOCITY, -1.2, 1.2), (style.SEQUENTIAL, 0.0, 1.5))
    labels = (
        r"log ($\Sigma_\mathrm{HI}$ / M$_\odot$ pc$^{-2}$)",
        r"$v$ / 200 km s$^{-1}$",
        r"$\sigma$ / 50 km s$^{-1}$",
    )
    for row, (title, array) in zip(axes[:n], arrays.items(), strict=True):
        blank = array[..., 0] == array[..., 0].min()
        shown = []
        for i, (ax, (cmap, low, high)) in enumerate(zip(row, looks, strict=True)):
            ax.set_facecolor("#D8D8D8")
            shown.append(ax.imshow(np.where(blank, np.nan, array[..., i]), cmap=cmap, vmin=low, vmax=high))
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            ax.grid(False)
        row[0].set_ylabel(title)
        middle = array[array.shape[0] // 2]
        style.plotted(
            fig,
            f"{title}, middle row",
            column=np.arange(len(middle)),
            c0=middle[:, 0],
            c1=middle[:, 1],
            c2=middle[:, 2],
        )
    for i, (label, ticks) in enumerate(zip(labels, ([-1, 0, 1], [-1, 0, 1], [0.5, 1.0]), strict=True)):
        fig.colorbar(shown[i], cax=axes[n, i], orientation="horizontal", label=label, ticks=ticks)
    return fig


def recovery(table: QTable) -> Figure:
    """HI mass found in noisy maps against the mass that is there.

    To see: above some 1e9 Msun nearly all is found; below, the search for emission loses the faint outskirts first,
    then the galaxy.
    """
    fig, ax = style.new_figure(width="text", height=3.7)
    present = table["m_hi_present"].to_value(u.Msun)
    share = (table["m_hi_found"] / table["m_hi_present"]).to_value(u.one)
    inclination = table["inclination"].to_value(u.deg)
    shown = ax.scatter(present, share, c=inclination, cmap=style.SEQUENTIAL, vmin=0, vmax=90, s=22, linewidth=0)
    ax.axhline(1.0, **style.line("baseline"))
    ax.set(xscale="log", xlabel=r"HI mass in the field [M$_\odot$]", ylabel="share found")
    ax.set_ylim(-0.05, 1.25)
    bar = fig.colorbar(shown, ax=ax, label="inclination [deg]", pad=0.02)
    bar.set_ticks([0, 30, 60, 90])
    style.plotted(
        fig,
        "galaxies",
        subhalo_id=np.asarray(table["subhalo_id"]),
        m_hi=present * u.Msun,
        share=share,
        inclination=inclination * u.deg,
    )
    return fig


def _map(ax, maps: MomentMaps, name: str, v_max: float):
    looks = {
        "surface_density": {"cmap": style.DENSITY, "norm": LogNorm(0.1, 30.0)},
        "velocity": {"cmap": style.VELOCITY, "vmin": -v_max, "vmax": v_max},
        "dispersion": {"cmap": style.SEQUENTIAL, "vmin": 0.0, "vmax": 60.0},
    }
    # Blank is neither the lowest colour nor the paper: the diverging map has white for the systemic velocity.
    ax.set_facecolor("#D8D8D8")
    return ax.imshow(getattr(maps, name), extent=maps.grid.extent, **looks[name])


def _cut(fig: Figure, title: str, maps: MomentMaps) -> None:
    middle = maps.grid.pixels // 2
    style.plotted(
        fig,
        f"{title}, row through the centre",
        x=maps.grid.centres * u.kpc,
        surface_density=maps.surface_density[middle] * u.Msun / u.pc**2,
        velocity=maps.velocity[middle] * u.km / u.s,
        dispersion=maps.dispersion[middle] * u.km / u.s,
    )


def _bare(ax, half_width: float) -> None:
    ax.set(xticks=[], yticks=[], xlim=(-half_width, half_width), ylim=(-half_width, half_width))
    ax.spines[:].set_visible(False)
    ax.grid(False)


def _scale_bar(ax, half_width: float, colour: str = "white") -> None:
    length = 20.0 if half_width > 30.0 else 10.0
    left, low = -0.94 * half_width, -0.93 * half_width
    ax.plot([left, left + length], [low, low], color=colour, linewidth=2.5, solid_capstyle="butt")
    ax.text(left, low + 0.04 * half_width, f"{length:.0f} kpc", color=colour, fontsize=9)


def _beam(ax, cube: HICube, half_width: float) -> None:
    if cube.settings.beam:
        radius = cube.settings.beam_kpc / 2
        at = (0.9 * half_width - radius, -0.9 * half_width + radius)
        ax.add_patch(Circle(at, radius, facecolor="none", edgecolor="white", hatch="////", linewidth=0.8))
