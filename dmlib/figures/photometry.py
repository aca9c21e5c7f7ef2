"""Figures of the chapter on galaxy images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from astropy.visualization import make_lupton_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from ..observe.images import UGRIZ, surface_magnitude
from ..observe.images.portraits import divider, sequence
from ..observe.sky import SkyGrid
from . import style
from .panels import Arrays, Pairs, curve, grid, note, picture, scale_bar

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
        note(ax, 0.04, 0.95, label, va="top", color="white", fontsize=8.5)
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


def network_input(rows: Arrays) -> Figure:
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
