"""Figures of the chapters on galaxy images and on HI observations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.visualization import make_lupton_rgb
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Circle
from matplotlib.ticker import MultipleLocator

from ..observe.cube import HICube
from ..observe.images import UGRIZ, surface_magnitude
from ..observe.images.portraits import divider, sequence
from ..observe.moments import GlobalProfile, MomentMaps, brightest_channel
from ..observe.sky import SkyGrid
from . import style
from .panels import (
    DENSITY,
    KMS,
    Arrays,
    Pairs,
    curve,
    grid,
    note,
    outlined,
    picture,
    positive,
    rows_over_bars,
    scale_bar,
)

#: Weights of i, r, g as red, green, blue; brightness at which colours begin to be compressed [nanomaggies/arcsec^2].
_WEIGHTS, _STRETCH, _SOFTENING = (0.8, 1.0, 1.3), 0.35, 8.0

_MU = u.mag / u.arcsec**2


def composite(image: np.ndarray, stretch: float = _STRETCH) -> np.ndarray:
    """Colour picture after Lupton et al. (2004): i, r, g as red, green, blue, the same hue at every brightness.

    Parameters
    ----------
    image : ndarray, shape (y, x, 5)
        Surface brightness u g r i z [Lsun/kpc^2].
    stretch : float
        Brightness at which the compression begins [nanomaggies/arcsec^2].

    Returns
    -------
    ndarray of uint8, shape (y, x, 3)
    """
    # Negative pixels of a noisy image have no magnitude.
    with np.errstate(invalid="ignore"):
        flux = np.sign(image) * 10.0 ** (-0.4 * (surface_magnitude(np.abs(image)) - 22.5))
    red, green, blue = (weight * flux[..., band] for weight, band in zip(_WEIGHTS, (3, 2, 1), strict=True))
    # Nor has a pixel that no photon reached a hue; it is drawn black.
    with np.errstate(invalid="ignore"):
        return make_lupton_rgb(red, green, blue, minimum=0.0, stretch=stretch, Q=_SOFTENING)


def five_bands(image: np.ndarray, sky: SkyGrid) -> Figure:
    """One galaxy in u g r i z, as surface brightness.

    To see: u shows where stars form now, each particle as a spot; in the red bands the old stars of disc and bulge
    dominate.
    """
    fig, axes = style.new_figure(1, 5, height=1.8)
    for ax, band, mu in zip(axes, UGRIZ, np.moveaxis(surface_magnitude(image), -1, 0), strict=True):
        shown = picture(ax, mu, "magma_r", 18.5, 27.0, title=band, blank="black", extent=sky.extent)
        _record_row(fig, band, mu, sky)
    scale_bar(axes[0], sky.field_of_view / 2)
    bar = fig.colorbar(shown, ax=axes, label=r"mag arcsec$^{-2}$", pad=0.01, ticks=[20, 22, 24, 26])
    bar.ax.invert_yaxis()
    return fig


def gallery(images: Sequence[np.ndarray], labels: Sequence[str], sky: SkyGrid) -> Figure:
    """Galaxies of the sample in composite colour, face-on, from the least to the most massive.

    To see: blue spots of young stars on yellow discs; sizes and colours differ at the same mass, as among real
    galaxies.
    """
    fig, axes, panels = grid(len(images), 4, 2.0)
    for ax, image, label in zip(panels, images, labels, strict=True):
        picture(ax, composite(image), extent=sky.extent)
        note(ax, 0.04, 0.95, label, va="top", color="white", fontsize=8.5, path_effects=outlined("white"))
        _record_row(fig, label, surface_magnitude(image)[..., 2], sky)
    scale_bar(axes[0, 0], sky.field_of_view / 2)
    return fig


def dust(rows: Pairs, sky: SkyGrid) -> Figure:
    """One galaxy without and with dust, and the attenuation in r.

    To see: edge-on the dust is a red lane along the mid-plane; face-on it absorbs little, most of it where stars form.
    """
    fig, axes, _ = grid(3 * len(rows), 3, 2.35, extra=0.2)
    for line, (title, pair) in zip(axes, rows.items(), strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            dimming = -2.5 * np.log10(pair[1][..., 2] / pair[0][..., 2])
        # Where there is no light to dim the ratio is meaningless.
        dimming[surface_magnitude(pair[0])[..., 2] > 27.0] = np.nan
        for ax, name, image in zip(line, ("without dust", "with dust"), pair, strict=False):
            picture(ax, composite(image), extent=sky.extent)
            _record_row(fig, f"{title}, {name}", surface_magnitude(image)[..., 2], sky)
        shown = picture(line[2], dimming, style.SEQUENTIAL, 0.0, 1.5, extent=sky.extent)
        line[0].set_ylabel(title)
    fig.colorbar(shown, ax=axes[:, 2], label="$A_r$ [mag]", extend="max", shrink=0.7)
    for ax, title in zip(axes[0], ("stars only", "behind their dust", "dimming in r"), strict=True):
        ax.set_title(title)
    scale_bar(axes[0, 0], sky.field_of_view / 2)
    return fig


def attenuation(inclination: np.ndarray, a_g: np.ndarray, a_z: np.ndarray) -> Figure:
    """Attenuation of whole galaxies by their dust against inclination, in g and in z.

    To see: the closer to edge-on, the more dust lies in the line of sight; g is attenuated more than z at any
    inclination.
    """
    fig, ax = style.new_figure(height=3.8)
    which = np.digitize(inclination, [0.0, 30.0, 45.0, 60.0, 72.0, 81.0, 90.0])
    bins = [which == k for k in range(1, 7) if np.count_nonzero(which == k) >= 3]
    middle = [np.median(inclination[rows]) for rows in bins]
    for label, values, role in (("g", a_g, "dark_matter"), ("z", a_z, "stars")):
        dots = style.points(role, marker="o", markersize=3, alpha=0.4, markeredgewidth=0)
        curve(ax, label, {"inclination": inclination * u.deg, "dimming": values * u.mag}, dots)
        ax.plot(middle, [np.median(values[rows]) for rows in bins], label=f"{label}, median", **style.line(role))
    ax.set(xlabel="inclination [deg]", ylabel="dimming [mag]", xlim=(0, 90), ylim=(0, None))
    ax.legend(ncols=2)
    return fig


def colours(panels: Mapping[str, Pairs]) -> Figure:
    """Colour and absolute magnitude, with the observed red and blue sequences.

    To see: stars alone are bluer than the blue sequence, in TNG and here; dust brings them onto it. Quiescent galaxies
    are on the red sequence.
    """
    fig, _, axes = grid(len(panels), len(panels), 4.2, sharey=True, ylabel="u $-$ r [mag]")
    m_r = np.linspace(-24.0, -19.0, 101)
    dots = {"marker": "o", "markersize": 3.2, "alpha": 0.55, "markeredgewidth": 0}
    hollow = {"markersize": 4.5, "markerfacecolor": "none"}
    looks = {
        (False, "star-forming"): style.points("embedded", **dots),
        (False, "quiescent"): style.points("stars", marker="s", **hollow),
        (True, "star-forming"): style.points("tng", **dots),
        (True, "quiescent"): style.points("tng", **hollow | {"marker": "D"}),
    }
    for ax, (title, parts) in zip(axes, panels.items(), strict=True):
        for name, role in (("red", "hot_gas"), ("blue", "alternative")):
            mean, spread = sequence(name, m_r)
            columns = {"m_r": m_r * u.mag, "u_r": mean * u.mag, "spread": spread * u.mag}
            curve(ax, f"observed, {name}", columns, role, band=True, linestyle="-")
        ax.plot(m_r, divider(m_r), label="divider", **style.line("literature", linewidth=1.1))
        tng = title.startswith("TNG")
        for label, (magnitude, colour) in parts.items():
            series, entry = f"{title}, {label}", label + ", TNG" * tng
            curve(ax, series, {"m_r": magnitude * u.mag, "u_r": colour * u.mag}, looks[tng, label], label=entry)
        ax.xaxis.set_major_locator(MultipleLocator(1.0))
        ax.set(xlabel="absolute magnitude in r", xlim=(-19.2, -23.2), ylim=(0.7, 2.9), title=title)
    entries = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    fig.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=4, fontsize=8.5)
    return fig


def published(native: np.ndarray, native_side: float, common: np.ndarray, light: np.ndarray, sky: SkyGrid) -> Figure:
    """A published SKIRT image as it is stored and on the common grid, beside particle light on that grid.

    To see: the common pixels keep the galaxy's form, at five times coarser sampling; the particle light is smoother
    than radiative transfer on more particles, and shows another galaxy.
    """
    fig, axes = style.new_figure(1, 3, height=2.75)
    half, peak = native_side / 2, native.max() / (native_side / len(native)) ** 2
    # Counts have no zero point: each is shown relative to a maximum.
    panels = (
        ("SKIRT, as published", native / native.max(), (-half, half, -half, half)),
        ("SKIRT, common grid", common / sky.pixel_area / peak, sky.extent),
        ("particles, another galaxy", light / light.max(), sky.extent),
    )
    for ax, (title, values, extent) in zip(axes, panels, strict=True):
        with np.errstate(divide="ignore"):
            log = np.log10(values)
        shown = picture(ax, log, style.DENSITY, -4.5, 0.0, title=title, blank="black", extent=extent)
        ax.set(xlim=sky.extent[:2], ylim=sky.extent[2:])
    for label, values in (("SKIRT, common grid", common), ("particle light", light)):
        middle = values[sky.pixels // 2] / values.max()
        style.plotted(fig, f"{label}, middle row", offset=sky.centres * u.kpc, relative_brightness=middle)
    scale_bar(axes[0], sky.field_of_view / 2, 20.0)
    fig.colorbar(shown, ax=axes, label="log brightness / peak", pad=0.01, ticks=range(-4, 1))
    return fig


def survey(
    ideal: np.ndarray, seen: np.ndarray, sky: SkyGrid, radius: np.ndarray, profiles: Arrays, noise: float
) -> Figure:
    """One galaxy without noise and as the SDSS would observe it, and both profiles in r.

    To see: in the survey the outer disc is lost in the noise of the sky and the centre is blurred; in between both
    agree.
    """
    fig, axes = style.new_figure(1, 3, height=2.95, width_ratios=[1, 1, 1.25])
    for ax, image, title in zip(axes, (ideal, seen), ("ideal", "SDSS at z = 0.0485"), strict=False):
        # Less stretched than elsewhere: the sky would be all coloured noise.
        picture(ax, composite(image, 3 * _STRETCH), title=title, extent=sky.extent)
    scale_bar(axes[0], sky.field_of_view / 2)
    ax, looks = axes[2], (style.line("total"), style.points("embedded"))
    for (label, values), look in zip(profiles.items(), looks, strict=True):
        curve(ax, label, {"radius": radius * u.kpc, "surface_brightness": values * _MU}, look)
    ax.axhline(noise, label="noise of a pixel", **style.line("baseline"))
    ax.set(title="in rings", xlabel="radius on the sky [kpc]", ylabel=r"r [mag arcsec$^{-2}$]")
    ax.set(xlim=(0, None), ylim=(29.0, np.nanmin(profiles["ideal"]) - 0.5))
    ax.legend(fontsize=8.5)
    return fig


def images_as_input(rows: Arrays) -> Figure:
    """Input of a network: five normalised bands of each view.

    To see: one scale for all galaxies, views and bands; the sky is zero, a factor of ten in brightness is one.
    """
    fig, axes, _ = grid(5 * len(rows), 5, 1.42, extra=0.25)
    for k, (line, (title, array)) in enumerate(zip(axes, rows.items(), strict=True)):
        for ax, band, values in zip(line, UGRIZ, np.moveaxis(array, -1, 0), strict=True):
            shown = picture(ax, values, style.DENSITY, 0.0, 2.5, title="" if k else band)
        line[0].set_ylabel(title)
        middle = {f"band_{band}": values for band, values in zip(UGRIZ, array[len(array) // 2].T, strict=True)}
        style.plotted(fig, f"{title}, middle row", column=np.arange(array.shape[1]), **middle)
    fig.colorbar(shown, ax=axes, label=r"asinh($I/2b$) / ln 10", shrink=0.85, pad=0.01, extend="max")
    return fig


def _record_row(fig: Figure, label: str, values: np.ndarray, sky: SkyGrid) -> None:
    """Record the middle row of a map of magnitudes."""
    style.plotted(fig, label, offset=sky.centres * u.kpc, surface_brightness=values[sky.pixels // 2] * _MU)


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
        note(ax, 0.04, 0.95, words, va="top", color="white", fontsize=9.5, path_effects=outlined("white"))
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
        fig.colorbar(image, cax=bar, orientation="horizontal", label=label)
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

    To see: the emission has the shape of the curve in the outer disc, and lies within it; in the centre the beam smears
    the steep curve into a wide range of velocities.
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
    brightest = brightest_channel(cube, diagram)
    seen = np.isfinite(brightest)
    style.plotted(fig, "brightest channel", offset=offsets[seen] * u.kpc, velocity=brightest[seen] * KMS)
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


def maps_as_input(arrays: Mapping[str, np.ndarray]) -> Figure:
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
        fig.colorbar(image, cax=bar, orientation="horizontal", label=label, ticks=ticks)
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
