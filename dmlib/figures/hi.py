"""Figures of the chapter on HI observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Circle

from ..observe.cube import HICube
from ..observe.moments import GlobalProfile, MomentMaps
from . import style
from .panels import DENSITY, KMS, bar_below, curve, grid, note, picture, positive, rows_over_bars, scale_bar

#: Maps of an observation: title, unit, and unit as written at the colour bar.
_MAPS = {
    "surface_density": ("moment 0", DENSITY, r"M$_\odot$ pc$^{-2}$"),
    "velocity": ("moment 1", KMS, r"km s$^{-1}$"),
    "dispersion": ("moment 2", KMS, r"km s$^{-1}$"),
}


def partition(edges: np.ndarray, profiles: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Surface density of atomic and molecular hydrogen in rings, for each recipe that partitions them.

    To see: in the centre, where the pressure is high, the hydrogen is molecular and HI saturates near 10 Msun/pc^2; at
    large radii all neutral gas is HI, whatever the recipe.
    """
    fig, ax = style.new_figure(height=3.9)
    radius = 0.5 * (edges[1:] + edges[:-1])
    looks = {"leroy08": ("Leroy et al. (2008)", 2.2, "-"), "blitz06": ("Blitz & Rosolowsky (2006)", 1.4, style.SHORT)}
    for name, parts in profiles.items():
        recipe, width, dash = looks[name]
        for phase, role in (("HI", "gas"), ("H2", "dark_matter")):
            label, look = f"{phase.replace('2', '$_2$')}, {recipe}", style.line(role, linewidth=width, linestyle=dash)
            ax.plot(radius, positive(parts[phase]), label=label, **look)
            style.plotted(fig, f"{phase}, {name}", radius=radius * u.kpc, surface_density=parts[phase] * DENSITY)
    ax.axhline(1.0, **style.line("baseline"))
    ax.text(0.4 * edges[-1], 1.07, "edge of an HI disc", fontsize=9)
    highest = max(density.max() for parts in profiles.values() for density in parts.values())
    ax.set(yscale="log", xlabel="radius in the disc [kpc]", ylabel=r"surface density [M$_\odot$ pc$^{-2}$]")
    ax.set(xlim=(0, edges[-1]), ylim=(0.03, 8.0 * highest))
    ax.legend(ncols=2, fontsize=9)
    return fig


def channels(cube: HICube, velocities: np.ndarray, maps: np.ndarray, half_width: float) -> Figure:
    """Channel maps: the HI that moves at one velocity along the line of sight, channel by channel.

    To see: the emission moves from one end of the disc to the other; near the systemic velocity it lies along the
    minor axis, at the extremes near the two ends of the major axis, where the rotation curve is flat.
    """
    fig, axes, panels = grid(len(maps), 4, 1.74)
    peak, extent = 1e3 * maps.max(), cube.grid.extent
    for ax, velocity, image in zip(panels, velocities, maps, strict=True):
        ax.contour(1e3 * image, [3e3 * cube.settings.noise], colors="white", linewidths=0.7, extent=extent)
        shown = picture(ax, 1e3 * image, style.DENSITY, -0.1 * peak, peak, half=half_width, extent=extent)
        words = f"{velocity:+.0f} km s$^{{-1}}$".replace("-", "\N{MINUS SIGN}", 1)
        note(ax, 0.04, 0.95, words, va="top", color="white", fontsize=9.5)
        flux = image.sum() * cube.pixel**2 / cube.area
        style.plotted(fig, "flux of the channels shown", velocity=velocity * KMS, flux=flux * u.Jy)
    if cube.settings.beam:
        radius = cube.settings.beam_kpc / 2
        at = (0.9 * half_width - radius, -0.9 * half_width + radius)
        axes[0, 0].add_patch(Circle(at, radius, facecolor="none", edgecolor="white", hatch="////", linewidth=0.8))
    _scale_bar(axes[-1, 0], half_width, "white")
    fig.colorbar(shown, ax=panels, label=f"m{cube.unit}", shrink=0.8, pad=0.01)
    return fig


def moments(rows: Mapping[str, MomentMaps], half_width: float, v_max: float) -> Figure:
    """Moment maps, one observation a row: surface density, mean velocity, dispersion of the line.

    To see: the velocity changes sign across the minor axis; the dispersion rises towards the centre, where the beam
    mixes velocities of both sides.
    """
    fig, axes, bars = rows_over_bars(len(rows), 3, 2.5, 0.9, 0.06)
    for line, (title, maps) in zip(axes, rows.items(), strict=True):
        shown = _maps(line, title, maps, v_max, half_width)
        line[0].set_ylabel(title)
    _scale_bar(axes[0, 0], half_width)
    for ax, bar, image, (title, _, label) in zip(axes[0], bars, shown, _MAPS.values(), strict=True):
        ax.set_title(title)
        bar_below(fig, image, bar, label)
    return fig


def inclinations(columns: Mapping[str, MomentMaps], half_width: float, v_max: float) -> Figure:
    """One galaxy from face-on to edge-on: surface density above, velocity below.

    To see: the disc becomes narrower and brighter, and the velocities grow with the sine of the inclination; face-on,
    no rotation is visible.
    """
    n = len(columns)
    fig, axes, _ = grid(2 * n, n, 6.7 / n, extra=0.35)
    for column, (title, maps) in zip(axes.T, columns.items(), strict=True):
        shown = _maps(column, title, maps, v_max, half_width)
        column[0].set_title(title)
    _scale_bar(axes[0, 0], half_width)
    for line, image, (name, (_, _, label)) in zip(axes, shown, _MAPS.items(), strict=False):
        line[0].set_ylabel(name.replace("_", " "))
        fig.colorbar(image, ax=line, label=label, pad=0.01)
    return fig


def position_velocity(
    cube: HICube, offsets: np.ndarray, diagram: np.ndarray, radius: np.ndarray, speed: np.ndarray, half_width: float
) -> Figure:
    """Position-velocity diagram along the major axis, with the circular velocity of the enclosed mass.

    To see: the emission follows the curve in the outer disc; in the centre the beam smears the steep curve into a wide
    range of velocities.
    """
    fig, ax = style.new_figure(height=4.2)
    half, step = cube.settings.channel_width / 2, cube.grid.pixel_size / 2
    extent = (offsets[0] - step, offsets[-1] + step, cube.velocities[0] - half, cube.velocities[-1] + half)
    shown = ax.imshow(1e3 * diagram, extent=extent, aspect="auto", cmap=style.DENSITY, vmin=0)
    for sign, label in ((-1, ""), (1, r"circular speed $\times\ \sin i$")):
        ax.plot(sign * radius, sign * speed, color="white", linewidth=3.2)
        columns = {"offset": sign * radius * u.kpc, "velocity": sign * speed * KMS}
        curve(ax, "circular speed", columns, "rotation", label=label, linestyle="-")
    ax.axhline(0.0, color="white", linewidth=0.6)
    ax.axvline(0.0, color="white", linewidth=0.6)
    ax.grid(visible=False)
    ax.set(xlabel="offset along the major axis [kpc]", xlim=(-half_width, half_width))
    ax.set(ylabel=r"velocity [km s$^{-1}$]", ylim=1.5 * np.max(speed) * np.array([-1, 1]))
    ax.legend(loc="lower right")
    fig.colorbar(shown, ax=ax, label=f"m{cube.unit}", pad=0.02)
    seen = diagram.max(axis=0) > 5 * cube.settings.noise
    brightest = cube.velocities[diagram.argmax(axis=0)[seen]]
    style.plotted(fig, "brightest channel", offset=offsets[seen] * u.kpc, velocity=brightest * KMS)
    return fig


def spectra(profiles: Mapping[str, GlobalProfile]) -> Figure:
    """Global profiles: the spectrum of the whole galaxy at several inclinations.

    To see: an inclined disc has two horns, because much of its gas is on the flat part of the rotation curve; face-on
    the line is as narrow as the dispersion of the gas. The area, hence the HI mass, is the same.
    """
    fig, ax = style.new_figure(height=3.6)
    for (label, profile), role in zip(profiles.items(), ("literature", "gas", "embedded", "dark_matter"), strict=False):
        colour, flux = style.COLOURS[role], profile.flux_density
        ax.step(profile.velocities, 1e3 * flux, where="mid", label=label, color=colour)
        ax.hlines(500 * flux.max(), *profile.crossings(0.5), color=colour, linewidth=0.8, linestyle=(0, (2, 1.5)))
        style.plotted(fig, label, velocity=profile.velocities * KMS, flux_density=flux * u.Jy)
    reach = 1.25 * max(abs(v) for profile in profiles.values() for v in profile.crossings(0.2))
    ax.set(xlabel=r"velocity [km s$^{-1}$]", ylabel="flux density [mJy]", xlim=(-reach, reach))
    ax.set_ylim(bottom=min(0.0, *(1e3 * profile.flux_density.min() for profile in profiles.values())))
    ax.legend()
    return fig


def network_input(arrays: Mapping[str, np.ndarray]) -> Figure:
    """Input of a network: the three normalised maps of each view, blank pixels in grey.

    To see: the scales are the same for every galaxy and view, so colours can be compared between rows.
    """
    fig, axes, bars = rows_over_bars(len(arrays), 3, 2.5, 0.9, 0.06)
    looks = (
        (style.DENSITY, -1.2, 1.4, r"log ($\Sigma_\mathrm{HI}$ / M$_\odot$ pc$^{-2}$)", [-1, 0, 1]),
        (style.VELOCITY, -1.2, 1.2, r"$v$ / 200 km s$^{-1}$", [-1, 0, 1]),
        (style.SEQUENTIAL, 0.0, 1.5, r"$\sigma$ / 50 km s$^{-1}$", [0.5, 1.0]),
    )
    for line, (title, array) in zip(axes, arrays.items(), strict=True):
        blank = array[..., 0] == array[..., 0].min()
        maps = np.moveaxis(np.where(blank[..., None], np.nan, array), -1, 0)
        shown = [picture(ax, one, *look[:3]) for ax, one, look in zip(line, maps, looks, strict=True)]
        line[0].set_ylabel(title)
        columns = {f"c{k}": values for k, values in enumerate(array[len(array) // 2].T)}
        style.plotted(fig, f"{title}, middle row", column=np.arange(array.shape[1]), **columns)
    for bar, image, (*_, label, ticks) in zip(bars, shown, looks, strict=True):
        bar_below(fig, image, bar, label, ticks=ticks)
    return fig


def recovery(table: QTable) -> Figure:
    """HI mass found in noisy maps against the true HI mass.

    To see: above about 1e9 Msun nearly all is found; at lower masses the search for emission first loses the faint
    outskirts, then the galaxy.
    """
    fig, ax = style.new_figure(height=3.7)
    present = table["m_hi_present"].to_value(u.Msun)
    share = (table["m_hi_found"] / table["m_hi_present"]).to_value(u.one)
    inclination = table["inclination"].to_value(u.deg)
    shown = ax.scatter(present, share, c=inclination, cmap=style.SEQUENTIAL, vmin=0, vmax=90, s=22, linewidth=0)
    ax.axhline(1.0, **style.line("baseline"))
    ax.set(xscale="log", xlabel=r"HI mass in the field [M$_\odot$]", ylabel="share found", ylim=(-0.05, 1.25))
    fig.colorbar(shown, ax=ax, label="inclination [deg]", pad=0.02).set_ticks([0, 30, 60, 90])
    columns = {"m_hi": present * u.Msun, "share": share, "inclination": inclination * u.deg}
    style.plotted(fig, "galaxies", subhalo_id=np.asarray(table["subhalo_id"]), **columns)
    return fig


def _maps(axes: np.ndarray, title: str, maps: MomentMaps, v_max: float, half: float) -> list[AxesImage]:
    """Show the maps of an observation, as many as there are panels, and record the row through their centre."""
    looks: list[dict[str, Any]] = [
        {"cmap": style.DENSITY, "norm": LogNorm(0.1, 30.0)},
        {"cmap": style.VELOCITY, "low": -v_max, "high": v_max},
        {"cmap": style.SEQUENTIAL, "low": 0.0, "high": 60.0},
    ]
    columns = {name: getattr(maps, name)[maps.grid.pixels // 2] * unit for name, (_, unit, _) in _MAPS.items()}
    style.plotted(axes[0].get_figure(), f"{title}, row through the centre", x=maps.grid.centres * u.kpc, **columns)
    return [
        picture(ax, getattr(maps, name), half=half, extent=maps.grid.extent, **look)
        for ax, name, look in zip(axes, _MAPS, looks, strict=False)
    ]


def _scale_bar(ax: Axes, half: float, colour: str = "#222222") -> None:
    scale_bar(ax, half, 20.0 if half > 30.0 else 10.0, colour, corner=0.94)
