"""Figures of the chapter on galaxy images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from astropy.visualization import make_lupton_rgb
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from ..observe.grid import SkyGrid
from ..observe.images.bands import UGRIZ, surface_magnitude
from ..observe.images.colours import divider, sequence
from . import style

#: Weights of i, r, g as red, green, blue; brightness at which colours begin to be compressed [nanomaggies/arcsec^2].
_WEIGHTS, _STRETCH, _SOFTENING = (0.8, 1.0, 1.3), 0.35, 8.0


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
    return make_lupton_rgb(red, green, blue, minimum=0.0, stretch=stretch, Q=_SOFTENING)


def five_bands(image: np.ndarray, grid: SkyGrid) -> Figure:
    """One galaxy in u g r i z, as surface brightness.

    To see: u shows where stars form now, one particle a spot; to the red the old stars of disc and bulge take over.
    """
    fig, axes = style.new_figure(1, 5, width="wide", height=1.8)
    mu = surface_magnitude(image)
    for ax, band, values in zip(axes, UGRIZ, np.moveaxis(mu, -1, 0), strict=True):
        shown = ax.imshow(values, extent=grid.extent, cmap="magma_r", vmin=18.5, vmax=27.0)
        _bare(ax, band)
        ax.set_facecolor("black")
        _profile(fig, band, values, grid)
    _scale_bar(axes[0], grid, 10.0)
    bar = fig.colorbar(shown, ax=axes, label=r"mag arcsec$^{-2}$", pad=0.01, ticks=[20, 22, 24, 26])
    bar.ax.invert_yaxis()
    return fig


def gallery(images: Sequence[np.ndarray], labels: Sequence[str], grid: SkyGrid) -> Figure:
    """Galaxies of the sample in composite colour, face-on, from the least to the most massive.

    To see: blue spots of young stars on yellow discs; sizes and colours differ at the same mass as among real galaxies.
    """
    columns = 4
    rows = -(-len(images) // columns)
    fig, axes = style.new_figure(rows, columns, width="wide", height=2.0 * rows, squeeze=False)
    for ax, image, label in zip(axes.flat, images, labels, strict=False):
        ax.imshow(composite(image), extent=grid.extent)
        _bare(ax)
        _note(ax, label)
        _profile(fig, label, surface_magnitude(image)[..., 2], grid)
    for ax in axes.flat[len(images) :]:
        ax.remove()
    _scale_bar(axes[0, 0], grid, 10.0)
    return fig


def dust(rows: Mapping[str, tuple[np.ndarray, np.ndarray]], grid: SkyGrid) -> Figure:
    """One galaxy without and with dust, and what the dust takes in r.

    To see: edge-on the dust is a reddening lane along the middle; face-on it takes little, most of it where stars form.
    """
    fig, axes = style.new_figure(len(rows), 3, width="wide", height=2.35 * len(rows) + 0.2, squeeze=False)
    for line, (title, (bare, dusty)) in zip(axes, rows.items(), strict=True):
        line[0].imshow(composite(bare), extent=grid.extent)
        line[1].imshow(composite(dusty), extent=grid.extent)
        with np.errstate(divide="ignore", invalid="ignore"):
            dimming = -2.5 * np.log10(dusty[..., 2] / bare[..., 2])
        # Where there is no light to dim the ratio says nothing.
        dimming[surface_magnitude(bare)[..., 2] > 27.0] = np.nan
        shown = line[2].imshow(dimming, extent=grid.extent, cmap=style.SEQUENTIAL, vmin=0.0, vmax=1.5)
        for ax in line:
            _bare(ax)
        line[0].set_ylabel(title)
        for name, values in (
            ("without dust", surface_magnitude(bare)[..., 2]),
            ("with dust", surface_magnitude(dusty)[..., 2]),
        ):
            _profile(fig, f"{title}, {name}", values, grid)
    fig.colorbar(shown, ax=axes[:, 2], label="$A_r$ [mag]", extend="max", shrink=0.7)
    for ax, title in zip(axes[0], ("stars only", "behind their dust", "dimming in r"), strict=True):
        ax.set_title(title)
    _scale_bar(axes[0, 0], grid, 10.0)
    return fig


def attenuation(inclination: np.ndarray, a_g: np.ndarray, a_z: np.ndarray) -> Figure:
    """Dimming of whole galaxies by their dust against inclination, in g and in z.

    To see: the more edge-on the more dust lies in the way; g suffers more than z at any inclination.
    """
    fig, ax = style.new_figure(width="text", height=3.8)
    edges = np.array([0.0, 30.0, 45.0, 60.0, 72.0, 81.0, 90.0])
    for label, values, role in (("g", a_g, "dark_matter"), ("z", a_z, "stars")):
        ax.plot(inclination, values, label=label, **style.points(role, markersize=3, alpha=0.4, markeredgewidth=0))
        style.plotted(fig, label, inclination=inclination * u.deg, dimming=values * u.mag)
        which = np.digitize(inclination, edges)
        bins = [k for k in range(1, len(edges)) if np.count_nonzero(which == k) >= 3]
        middle = [np.median(inclination[which == k]) for k in bins]
        ax.plot(middle, [np.median(values[which == k]) for k in bins], label=f"{label}, median", **style.line(role))
    ax.set(xlabel="inclination [deg]", ylabel="dimming [mag]", xlim=(0, 90), ylim=(0, None))
    ax.legend(ncols=2)
    return fig


def colours(panels: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]]) -> Figure:
    """Colour and absolute magnitude, with the observed red and blue sequences.

    To see: stars alone are bluer than the blue sequence, in TNG and here; dust brings them onto it. Quiescent galaxies
    are on the red sequence.
    """
    fig, axes = style.new_figure(1, len(panels), width="wide", height=4.2, sharey=True, squeeze=False)
    m_r = np.linspace(-24.0, -19.0, 101)
    looks = {
        (role, "star-forming"): style.points(role, marker="o", markersize=3.2, alpha=0.55, markeredgewidth=0)
        for role in ("embedded", "tng")
    }
    looks["embedded", "quiescent"] = style.points("stars", markersize=4.5, marker="s", markerfacecolor="none")
    looks["tng", "quiescent"] = style.points("tng", markersize=4.5, marker="D", markerfacecolor="none")
    for ax, (title, parts) in zip(axes[0], panels.items(), strict=True):
        for name, role in (("red", "hot_gas"), ("blue", "alternative")):
            mean, spread = sequence(name, m_r)
            ax.fill_between(m_r, mean - spread, mean + spread, color=style.COLOURS[role], alpha=0.3, linewidth=0)
            ax.plot(m_r, mean, color=style.COLOURS[role], label=f"observed, {name}")
            style.plotted(fig, f"observed, {name}", m_r=m_r * u.mag, u_r=mean * u.mag, spread=spread * u.mag)
        ax.plot(m_r, divider(m_r), label="divider", **style.line("literature", linewidth=1.1))
        for label, (magnitude, colour) in parts.items():
            role, note = ("tng", ", TNG") if title.startswith("TNG") else ("embedded", "")
            ax.plot(magnitude, colour, label=label + note, **looks[role, label])
            style.plotted(fig, f"{title}, {label}", m_r=magnitude * u.mag, u_r=colour * u.mag)
        ax.xaxis.set_major_locator(MultipleLocator(1.0))
        ax.set_title(title)
        ax.set(xlabel="absolute magnitude in r", xlim=(-19.2, -23.2), ylim=(0.7, 2.9))
    axes[0, 0].set_ylabel("u $-$ r [mag]")
    entries = {label: handle for ax in axes[0] for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    fig.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=4, fontsize=8.5)
    return fig


def published(native: np.ndarray, native_side: float, common: np.ndarray, light: np.ndarray, grid: SkyGrid) -> Figure:
    """A published SKIRT image as it is stored and on the common grid, beside particle light on that grid.

    To see: the common pixels keep the galaxy's form, at five times coarser sampling; the particles' light is smoother
    than radiative transfer on more particles, and another galaxy.
    """
    fig, axes = style.new_figure(1, 3, width="wide", height=2.75)
    half = native_side / 2
    titles = ("SKIRT, as published", "SKIRT, common grid", "particles, another galaxy")
    extents = ((-half, half, -half, half), grid.extent, grid.extent)
    cells = ((native_side / len(native)) ** 2, grid.pixel_area, None)
    for ax, image, extent, area, title in zip(axes, (native, common, light), extents, cells, titles, strict=True):
        # Counts have no zero point: the three are shown over their own maxima.
        values = image / image.max() if area is None else image / area / (native.max() / cells[0])
        with np.errstate(divide="ignore"):
            shown = ax.imshow(np.log10(values), extent=extent, cmap=style.DENSITY, vmin=-4.5, vmax=0.0)
        _bare(ax, title)
        ax.set_facecolor("black")
        ax.set(xlim=grid.extent[:2], ylim=grid.extent[2:])
    for label, values in (("SKIRT, common grid", common), ("particle light", light)):
        middle = values[grid.pixels // 2] / values.max()
        style.plotted(fig, f"{label}, middle row", offset=grid.centres * u.kpc, relative_brightness=middle)
    _scale_bar(axes[0], grid, 20.0)
    fig.colorbar(shown, ax=axes, label="log brightness / peak", pad=0.01, ticks=range(-4, 1))
    return fig


def survey(
    ideal: np.ndarray,
    seen: np.ndarray,
    grid: SkyGrid,
    radius: np.ndarray,
    profiles: Mapping[str, np.ndarray],
    noise: float,
) -> Figure:
    """One galaxy ideal and as the SDSS would see it, and both profiles in r.

    To see: the survey loses the outer disc in the sky's noise and blurs the centre; in between both agree.
    """
    fig, axes = style.new_figure(1, 3, width="wide", height=2.95, gridspec_kw={"width_ratios": [1, 1, 1.25]})
    for ax, image, title in zip(axes, (ideal, seen), ("ideal", "SDSS at z = 0.0485"), strict=False):
        # Less stretched than elsewhere: the sky would be all coloured noise.
        ax.imshow(composite(image, 3 * _STRETCH), extent=grid.extent)
        _bare(ax, title)
    _scale_bar(axes[0], grid, 10.0)
    for (label, values), look in zip(profiles.items(), (style.line("total"), style.points("embedded")), strict=True):
        axes[2].plot(radius, values, label=label, **look)
        style.plotted(fig, label, radius=radius * u.kpc, surface_brightness=values * u.mag / u.arcsec**2)
    axes[2].axhline(noise, label="noise of a pixel", **style.line("baseline"))
    axes[2].set_title("in rings")
    axes[2].set(xlabel="radius on the sky [kpc]", ylabel=r"r [mag arcsec$^{-2}$]", xlim=(0, None))
    axes[2].set_ylim(29.0, np.nanmin(profiles["ideal"]) - 0.5)
    axes[2].legend(fontsize=8.5)
    return fig


def network_input(rows: Mapping[str, np.ndarray]) -> Figure:
    """What a network reads: five normalised bands of each view.

    To see: one scale for all galaxies, views and bands; the sky is zero, a factor of ten in brightness is one.
    """
    fig, axes = style.new_figure(len(rows), 5, width="wide", height=1.42 * len(rows) + 0.25, squeeze=False)
    for row, (line, (title, array)) in enumerate(zip(axes, rows.items(), strict=True)):
        for ax, band, values in zip(line, UGRIZ, np.moveaxis(array, -1, 0), strict=True):
            shown = ax.imshow(values, cmap=style.DENSITY, vmin=0.0, vmax=2.5)
            _bare(ax, band if row == 0 else "")
        line[0].set_ylabel(title)
        middle = array[array.shape[0] // 2]
        values = {f"band_{band}": middle[:, k] for k, band in enumerate(UGRIZ)}
        style.plotted(fig, f"{title}, middle row", column=np.arange(len(middle)), **values)
    fig.colorbar(shown, ax=axes, label=r"asinh($I/2b$) / ln 10", shrink=0.85, pad=0.01, extend="max")
    return fig


def _bare(ax: Axes, title: str = "") -> None:
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)
    if title:
        ax.set_title(title)


def _note(ax: Axes, text: str) -> None:
    ax.annotate(text, (0.04, 0.95), xycoords="axes fraction", va="top", color="white", fontsize=8.5)


def _scale_bar(ax: Axes, grid: SkyGrid, length: float, colour: str = "white") -> None:
    half = grid.field_of_view / 2
    ax.plot([-0.88 * half, -0.88 * half + length], [-0.86 * half] * 2, color=colour, linewidth=2.2)
    ax.annotate(f"{length:g} kpc", (-0.88 * half, -0.8 * half), color=colour, fontsize=8.5, va="bottom")


def _profile(fig: Figure, label: str, values: np.ndarray, grid: SkyGrid) -> None:
    """The middle row of a map of magnitudes, for the figure's table."""
    style.plotted(
        fig, label, offset=grid.centres * u.kpc, surface_brightness=values[grid.pixels // 2] * u.mag / u.arcsec**2
    )
