# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation.format_version,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (photometry)=
# # Photometry: SKIRT, and our default images
#
# **Objective: turn a simulated galaxy into the images that a survey would take of it, and understand what each step contributes.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | The sample | these galaxies are imaged | {doc}`03_simulation_and_selection` |
# | Magnitudes and colours | the language of photometry | any first course in astronomy |
# | Stars, gas and their ages in the embedded universe | the sources of the light | {doc}`02_embedded_universe` |
#
# You will be able to
#
# 1. explain what radiative transfer computes, and read the images of TNG galaxies that were published with it;
# 2. make an image in five bands from star particles, without losing flux;
# 3. add dust in front of the stars, and describe its effect on brightness and colour at each inclination;
# 4. compare the colours with the observed red and blue sequences;
# 5. show what the SDSS would have seen, and what a network is given.
#
# Reading takes about 20 minutes, running about a minute once the universe is written.

# %% [markdown]
# ```{found}
# chapter: photometry
# # The book fills this box from the recorded numbers.
# ```

# %% [markdown]
# The paper trains its networks on SDSS-like images made with SKIRT.
# We could not find which bands, field of view and settings it used; the authors' scripts name inputs `SDSS_I` and `SDSS_URZ`, which suggests the bands u, r, i, z.
# What follows is **our choice**, and a common interface makes the two kinds of images interchangeable.

# %% tags=["parameters"]
universe = "embedded"  # generated here; or "files" or "api": the real TNG
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
subhalo_id = -1  # galaxy to show; -1: a central with a high SFR
skirt_subhalo = 6  # TNG100-1 subhalo whose published SKIRT image is shown
n_gallery = 12  # galaxies in the gallery
n_colours = 200  # galaxies whose colours with dust are measured

# %%
import numpy as np

from dmlib import load
from dmlib.figures import observations as figures
from dmlib.figures import show
from dmlib.galaxy import load_galaxy
from dmlib.manifest.fetch import available
from dmlib.observe import images
from dmlib.observe.images.light import ParticleLight
from dmlib.observe.images.published import read_broadband
from dmlib.observe.images.sdss import (
    PIXEL,
    SdssLight,
    normalise,
    patch_noise,
    sky_noise,
)
from dmlib.observe.sky import SkyGrid, lines_of_sight
from dmlib.results import recorder
from dmlib.settings import Settings

# %%
settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)
record = recorder(settings, chapter="photometry")

# %% [markdown]
# ## What radiative transfer does
#
# Light from a star does not reach the telescope directly.
# On its way dust grains absorb part of it, and scatter another part into new directions; the absorbed light warms the grains, which emit in the infrared.
# Along a ray the brightness $I_\lambda$ follows
#
# $$
# \frac{\mathrm{d}I_\lambda}{\mathrm{d}s} = j_\lambda - \kappa_\lambda\rho\,I_\lambda
#  + \kappa^\mathrm{sca}_\lambda\rho\int I_\lambda(\mathbf n')\,\Phi(\mathbf n,\mathbf n')\,\mathrm{d}\Omega' ,
# $$
#
# with the emission $j_\lambda$ of the stars, the extinction by dust of density $\rho$, and the light scattered in from all directions.
# The integral couples every ray to every other.
# **SKIRT** {cite}`Camps2020` solves this equation by Monte Carlo: it launches photon packets from the stars, draws at random where each is scattered or
# absorbed, and counts those that arrive at the instrument.
#
# It needs three inputs that a simulation does not provide:
#
# - the **spectrum** of each star particle, from its age, metallicity and mass: a template of a whole stellar population;
# - the light of **newborn stars**, still inside clouds that are smaller than any cell;
# - **the amount of dust** and the type of grains: the amount is usually a fixed fraction of the metals in cold gas.
#
# The first depends on the model of stellar populations, the second on a model of such clouds.
# The third is the least certain: the simulation does not follow grains, so one number for all galaxies, adjusted by hand until statistics look right,
# sets how dusty the images are.
# A network trained on such images is trained on that number too.
#
# The resulting image in each band includes all of this: dust lanes and reddening, glowing clouds, and the faint light scattered by dust.
# The cost is minutes to hours per galaxy, compared with a hundredth of a second for the images that this chapter makes from particles.
#
# For TNG100, {cite:t}`RodriguezGomez2019` did this for all larger galaxies, and the images are part of the data release {cite}`Nelson2019`: SDSS g, r,
# i, z, one view per galaxy along the z axis of the box, as if at redshift {num}`image-redshift:.4f`.

# %%
redshift = "Redshift of the published images"
record("image-redshift", images.REDSHIFT, statement=redshift)
published = available("tng100-skirt-image", subhalo_id=skirt_subhalo)
print(f"published image of subhalo {skirt_subhalo}: {published.state}")

# %% [markdown]
# Such a file contains counts per second and no zero point.
# A magnitude difference between its bands is therefore not a colour, and we do not use it as one.
# `read_broadband` checks the header cards of the file, takes the centre of the array as that of the galaxy, and resamples the image to our pixels by
# area, which conserves the flux.
#
# ## Starlight from the particles
#
# The published images have no u band and only one line of sight.
# By default we therefore make images from the star particles.
# For each particle the snapshot contains absolute magnitudes in eight bands, computed from its age and metallicity, without dust.
# Four are those of the SDSS; we take u from Johnson's U and add 0.79 mag for the AB system.
# A particle represents a million stars or more, not a point: its light is spread over the distance to its 32nd neighbour.

# %%
tree = load.universe(settings)
sample = load.sample(settings)
centrals = sample[sample["is_true_central"]]
if subhalo_id < 0:
    by_sfr = centrals["subhalo_id"][np.argsort(centrals["sfr"])]
    subhalo_id = int(by_sfr[int(0.9 * len(by_sfr))])

# %% [markdown]
# We read that galaxy with the fields needed for light and dust.

# %%
stars_only, behind_dust = ParticleLight(dust=None), ParticleLight()
galaxy = load_galaxy(tree, subhalo_id, extra=behind_dust.fields)

# %% [markdown]
# We view it from three directions: 50 degrees inclined, face-on and edge-on.
# We use two grids of pixels: the common one of the data set, and a finer one for pictures.

# %%
axis = galaxy.spin_axis()
angles = [(50, 60), (0, 60), (90, 60)]  # inclination, position angle [deg]
inclined, face_on, edge_on = lines_of_sight(
    subhalo_id, axis, seed=seed, mode=angles
)
grid, close = SkyGrid.of(settings), SkyGrid(60.0, 120)

# %% [markdown]
# Every source of images has the same method, `image(galaxy, view, grid)`, and states its bands and its unit: here the surface brightness in solar
# luminosities per kpc², which does not depend on the distance.

# %%
image = stars_only.image(galaxy, inclined, close)
print(f"{len(galaxy.stars)} star particles")
print(f"image {image.shape} (y, x, band) in {stars_only.unit}")

# %%
show(
    figures.five_bands(image, close),
    settings,
    "photometry_bands",
    caption="A star-forming galaxy in five bands, starlight only, at 50 "
    "degrees inclination; surface brightness as at the redshift of the "
    "published images.",
    alt="Five small images of an inclined disc galaxy in u, g, r, i and z. "
    "In u it is faint and patchy, in the redder bands smooth and bright with "
    "a pronounced centre.",
    n=1,
)

# %% [markdown]
# Is all the light there?
# We compare the sum of the pixels with the sum of the particles, on a field wide enough for the whole group, and on the common field.

# %%
light = stars_only.luminosities(galaxy, inclined).sum(axis=0)
wide = SkyGrid(4000.0, 200)
kept = {
    field: stars_only.image(galaxy, inclined, field).sum((0, 1))
    * field.pixel_area
    / light
    for field in (wide, grid)
}

# %%
here = {"figure": "photometry_bands", "n": 1}
record(
    "light-lost",
    np.abs(kept[wide] - 1).max(),
    statement="Relative flux lost between particles and pixels",
    **here,
)
record(
    "light-inside",
    100 * kept[grid][2],
    unit="%",
    statement="Light in r within the common grid",
    **here,
)

# %% [markdown]
# {numref}`fig-photometry-bands` shows one galaxy five times: stars younger than a few hundred million years dominate u, while all stars ever formed contribute to z.
# The spots in u are single particles: at this resolution one particle represents a whole region of star formation, or more than one region of a real galaxy.
# (SKIRT pipelines replace each young particle by smaller populations; we do not.)
# On a field that contains every particle, the image reproduces the particles' light to {num}`light-lost:.0e`; the common field of the data set, 128 kpc
# wide, contains {num}`light-inside:.1f` of it.
#
# ## A gallery
#
# Composite pictures follow {cite:t}`Lupton2004`: i, r and g are shown as red, green and blue, and an asinh compresses brightness without changing the hue.

# %%
order = np.argsort(centrals["m_star"])
ranks = np.linspace(0, len(order) - 1, n_gallery).round().astype(int)
pictures, labels = [], []
for row in centrals[order[ranks]]:
    one = load_galaxy(tree, row["subhalo_id"], extra=behind_dust.fields)
    (view,) = lines_of_sight(
        one.subhalo_id, one.spin_axis(), 1, seed=seed, mode="face-on"
    )
    pictures.append(behind_dust.image(one, view, close))
    labels.append(f"log M$_*$ = {np.log10(row['m_star'].value):.1f}")

# %%
show(
    figures.gallery(pictures, labels, close),
    settings,
    "photometry_gallery",
    caption="Central galaxies of the sample, equally spaced in the rank of "
    "their stellar mass (in solar masses), face-on, with dust.",
    alt="Twelve face-on galaxies in composite colour: yellowish discs of "
    "different sizes, with blue spots, some with bars; the most massive one "
    "is a large smooth yellow glow.",
    n=len(pictures),
)

# %% [markdown]
# In {numref}`fig-photometry-gallery` old stars give discs and bars a yellow glow, and young stars appear as blue spots, more in some galaxies than in others.
# At the same mass, sizes differ by factors of a few.
# Particles of this mass cannot show clusters, arms as fine as real ones, or dust lanes thinner than a gas cell.
#
# ## Dust
#
# We use the model with which the TNG collaboration compared its colours to the SDSS {cite}`Nelson2018`.
# In front of a star there is a column $N_\mathrm{H}$ of neutral hydrogen with metallicity $Z_\mathrm{g}$; its optical depth for absorption is
#
# $$
# \tau^a_\lambda = \left(\frac{A_\lambda}{A_V}\right)_{\!\odot}\left(\frac{Z_\mathrm{g}}{Z_\odot}\right)^{1.6}
# \frac{N_\mathrm{H}}{2.1\times10^{21}\,\mathrm{cm}^{-2}},
# $$
#
# with the extinction curve of the Milky Way {cite}`Cardelli1989`.
# Scattering returns part of the light, which gives an effective $\tau_\lambda$ {cite}`Calzetti1994`, and a fraction $(1-e^{-\tau})/\tau$ of the
# starlight remains, as for stars and dust that are well mixed.
# Stars younger than 10 million years are in clouds of their own {cite}`Charlot2000`.
#
# The columns are computed star by star: working away from the observer, each gas cell adds to a map of columns, and each star reads the map.

# %%
sources, sides = (stars_only, behind_dust), (face_on, edge_on)
pairs = {
    title: tuple(source.image(galaxy, view, close) for source in sources)
    for title, view in zip(("face-on", "edge-on"), sides, strict=True)
}

# %%
show(
    figures.dust(pairs, close),
    settings,
    "photometry_dust",
    caption="The galaxy of {numref}`fig-photometry-bands` without dust and "
    "with dust, and the dimming in r, face-on and edge-on; grey where there "
    "is no light to dim.",
    alt="Two rows of three pictures. Face-on the galaxy hardly changes with "
    "dust; edge-on its thin bright disc turns from bluish white to orange. "
    "The maps of dimming show little face-on, and more than half a magnitude "
    "along the midplane edge-on.",
    n=1,
)

# %% [markdown]
# The same for the whole galaxy, in magnitudes:


# %%
def whole(source, view):
    light = source.luminosities(galaxy, view).sum(axis=0)
    return images.absolute_magnitude(light)


bare = whole(stars_only, face_on)
dimmings = {
    "face": whole(behind_dust, face_on) - bare,
    "edge": whole(behind_dust, edge_on) - bare,
}

# %%
for name, dimming in dimmings.items():
    here = {"figure": "photometry_dust", "n": 1, "unit": "mag"}
    record(
        f"dust-{name}-r",
        dimming[2],
        statement=f"Dimming in r of the galaxy shown, {name}-on",
        **here,
    )
    record(
        f"dust-{name}-red",
        dimming[1] - dimming[2],
        statement=f"Reddening in g - r of the galaxy shown, {name}-on",
        **here,
    )

# %% [markdown]
# As a whole, this galaxy is dimmed by {num}`dust-face-r:.2f` in r face-on and {num}`dust-edge-r:.2f` edge-on ({numref}`fig-photometry-dust`).
# It reddens by {num}`dust-face-red:.2f` and {num}`dust-edge-red:.2f` in g − r.
# A foreground cloud of Milky Way dust that dims r by the same amount would redden it more: where dust is mixed with the stars and optically thick, we
# see the stars near its front, which are hardly reddened.
# The spots in the maps of dimming are particles younger than 10 million years, each within its own cloud.
#
# This model is not radiative transfer.
# It lacks light that is scattered into the line of sight from elsewhere, and all structure below a gas cell.
# Because simulated discs are thicker than real ones and TNG has plenty of neutral gas, its dust is uncertain by a large factor.
# Dust can therefore be switched off.
#
# How does dust affect the sample? We take one random view of each galaxy.

# %%
from dmlib.observe.images.portraits import (
    catalogue_magnitudes,
    divider,
    dusty_magnitudes,
    quiescent,
    sequence,
)

# %%
rng = np.random.default_rng(seed)
ids = rng.permutation(np.asarray(sample["subhalo_id"]))[:n_colours]
table, set_aside = dusty_magnitudes(tree, np.sort(ids), behind_dust, seed=seed)
dimming = table["dusty"] - table["bare"]
inclination = table["inclination"].to_value("deg")
print(f"{len(table)} galaxies measured, {len(set_aside)} set aside")

# %%
show(
    figures.attenuation(inclination, dimming[:, 1], dimming[:, 4]),
    settings,
    "photometry_attenuation",
    caption="Dimming of whole galaxies by dust in g and z against the "
    "inclination of a random view; lines are medians in bins.",
    alt="Scatter of dimming against inclination. Both bands rise towards "
    "edge-on; g is above z throughout, with a wide spread at every "
    "inclination.",
    n=len(table),
)

# %%
ranges = {
    "flat": ("less than 50 degrees inclined", inclination < 50),
    "steep": ("more than 75 degrees inclined", inclination > 75),
}
for name, (which, mask) in ranges.items():
    record(
        f"dimming-{name}",
        np.median(dimming[mask, 1]),
        n=mask.sum(),
        unit="mag",
        statement=f"Median dimming in g, galaxies {which}",
        figure="photometry_attenuation",
    )

# %% [markdown]
# Galaxies inclined by less than 50 degrees lose {num}`dimming-flat:.2f` in g (median), those beyond 75 degrees {num}`dimming-steep:.2f`
# ({numref}`fig-photometry-attenuation`).
# Is that realistic?
# Real galaxies cannot be turned, but we can turn ours from face-on to edge-on.

# %%
some = ids[: len(ids) // 4]
turned = {
    mode: dusty_magnitudes(tree, some, behind_dust, seed=seed, mode=mode)[0]
    for mode in ("face-on", "edge-on")
}
steps = turned["edge-on"]["dusty"] - turned["face-on"]["dusty"]

# %%
for band, step in zip(images.UGRIZ, steps.T, strict=True):
    record(
        f"dimming-turned-{band}",
        np.mean(step),
        error=np.std(step, ddof=1) / np.sqrt(len(step)),
        n=len(step),
        unit="mag",
        statement=f"Mean dimming in {band} from face-on to edge-on",
    )
reddening = steps[:, 1] - steps[:, 4]
record(
    "reddening-turned",
    np.mean(reddening),
    error=np.std(reddening, ddof=1) / np.sqrt(len(reddening)),
    n=len(reddening),
    unit="mag",
    statement="Mean reddening in g - z from face-on to edge-on",
)

# %% [markdown]
# They lose {num}`dimming-turned-g:.2f±` in g and {num}`dimming-turned-z:.2f±` in z, and redden by {num}`reddening-turned:.2f±` in g − z.
# For spirals in the SDSS, the statistics over many inclinations give a reddening of 0.3 mag between g and z {cite}`Masters2010`; if z is dimmed by 0.3 mag, as
# its authors estimate, g is dimmed by 0.6.
# The sentence below {numref}`fig-photometry-attenuation` compares the two.
# For a network, dust both hides and reveals: an image without dust would show the stellar mass more clearly than a real image does.
#
# ## Are the colours right?
#
# Real galaxies fall into two groups: a **blue sequence** of star-forming and a **red sequence** of quiescent ones {cite}`Baldry2004`.
# By its third criterion the sample has only star-forming galaxies; we add the quiescent galaxies of the same masses.

# %%
passive = quiescent(tree)
red = catalogue_magnitudes(tree, passive)
real = load.record("colours_tng100_subset")["measured"]


def colour(magnitudes):
    return magnitudes[:, 2], magnitudes[:, 0] - magnitudes[:, 2]


# %%
panels = {
    title: {"star-forming": colour(blue), "quiescent": colour(red)}
    for title, blue in (
        ("stars only", table["bare"]),
        ("with dust", table["dusty"]),
    )
}
panels["TNG100-1, stars only"] = {
    name: (np.array(rows["m_r"]), np.array(rows["u_r"]))
    for name, rows in real.items()
}

# %%
show(
    figures.colours(panels),
    settings,
    "photometry_colours",
    caption="Colour against absolute magnitude: starlight alone, with dust "
    "(quiescent galaxies have hardly any, and are shown without), and, for "
    "real rows of the TNG100-1 catalogue, starlight alone. Bands: mean and "
    "dispersion of the observed sequences {cite}`Baldry2004`; dashed: the "
    "line that separates them.",
    alt="Three panels of u minus r against absolute magnitude in r with the "
    "observed red and blue bands. Squares of quiescent galaxies lie on the "
    "red band. Points of star-forming galaxies extend below the blue band "
    "without dust, here as in TNG100-1, and scatter about it with dust.",
    n=f"{len(table)} galaxies of the sample and {len(passive)} quiescent "
    "ones; 100 galaxies of TNG100-1",
)

# %% [markdown]
# How far from the observed sequences are they?

# %%
compared = {
    "bare": panels["stars only"]["star-forming"],
    "dusty": panels["with dust"]["star-forming"],
    "quiet": panels["stars only"]["quiescent"],
    "tng": panels["TNG100-1, stars only"]["star-forming"],
    "tng-quiet": panels["TNG100-1, stars only"]["quiescent"],
}
nearest = {n: "red" if "quiet" in n else "blue" for n in compared}
offsets = {
    name: u_r - sequence(nearest[name], m_r)[0]
    for name, (m_r, u_r) in compared.items()
}
redder = np.mean(compared["dusty"][1] > divider(compared["dusty"][0]))

# %%
tng = "TNG100-1, 60 groups (records/colours_tng100_subset.json)"
for name, offset in offsets.items():
    record(
        f"colour-{name}",
        np.median(offset),
        unit="mag",
        n=len(offset),
        statement=f"Median u - r minus that of the {nearest[name]} sequence, "
        f"{name}",
        figure="photometry_colours",
        universe=tng if name.startswith("tng") else None,
    )
record(
    "redder-dusty",
    100 * redder,
    unit="%",
    n=len(table),
    statement="Star-forming galaxies redder than the dividing line, with dust",
    figure="photometry_colours",
)

# %% [markdown]
# The median offset of the star-forming galaxies from the blue sequence is {num}`colour-bare:.2f` without dust and {num}`colour-dusty:.2f` with it
# ({numref}`fig-photometry-colours`); {num}`redder-dusty:.0f` of them are on the red side of the dividing line.
# The quiescent ones are {num}`colour-quiet:.2f` from the red sequence.
#
# What about TNG itself?
# The catalogue contains the light of each subhalo, so no particles are needed.
# For 60 real groups of TNG100-1 (`records/colours_tng100_subset.json`) the offsets without dust are {num}`colour-tng:.2f` and
# {num}`colour-tng-quiet:.2f`, from the blue and the red sequence.
# In star-forming galaxies, starlight alone is therefore too blue in TNG as well, and dust, which makes it redder, is missing in both.
# Where the offsets of the two without dust differ, it is this universe, or the choice of the 60 groups, that differs from TNG, and not the dust.
#
# Do not trust the last tenth of a magnitude: our u is a Johnson U, which agrees with the SDSS u to 0.1 mag (`tests/observe`), and
# the observed magnitudes are measured in apertures.
# The dispersions of the sequences are 0.1 to 0.3 mag.
#
# ## Comparison with a SKIRT image
#
# How does a published image appear on our pixels?
# We show that of TNG100-1 subhalo 6, if its file is available.
# Its particles are not, so the particle image next to it is of another galaxy: the one in our sample with the closest half-mass radius (a published
# image is 15 of these wide).

# %%
skirt = read_broadband(published.path) if published.present else None
measured = load.record("skirt_tng100_subhalo_6")["measured"]
ratio = sample["r_half_star"].value / (measured["field_of_view"] / 15)
near = sample["subhalo_id"][np.argmin(np.abs(np.log(ratio)))]

# %%
other = load_galaxy(tree, near, extra=behind_dust.fields)
(view,) = lines_of_sight(near, other.spin_axis(), seed=seed, mode=[(60, 60)])
beside = behind_dust.image(other, view, grid)

# %%
if skirt is not None:
    show(
        figures.published(
            skirt.data[..., 1],
            skirt.field_of_view,
            skirt.on(grid)[..., 1],
            beside[..., 2],
            grid,
        ),
        settings,
        "photometry_skirt",
        caption="Left and middle: the published SKIRT image of a galaxy "
        "in r, as stored and on the common grid. Right: particle light "
        "in r of a galaxy of our sample with about the same half-mass radius. "
        "Brightness over its peak; that of the middle image is the peak of "
        "the stored image.",
        alt="Three images of large galaxies: an inclined disc with a bright "
        "centre, an extended halo and small companions, at fine and at coarse "
        "sampling, and a smooth inclined disc from our own particles.",
        n="one galaxy of the release, one of the sample",
        source=f"{skirt.origin}, SKIRT image of subhalo {skirt_subhalo}; "
        f"{settings.label}",
    )

# %%
file = "TNG100-1, subhalo 6 (records/skirt_tng100_subhalo_6.json)"
record(
    "skirt-change",
    measured["flux_change"],
    statement="Change of a published image's flux on a grid that contains "
    "all of it, largest of four bands",
    universe=file,
)
record(
    "skirt-within",
    100 * measured["within_common_grid"]["r"],
    unit="%",
    statement="Its flux in r within the common grid",
    universe=file,
)

# %% [markdown]
# We measured once on that file (`records/skirt_tng100_subhalo_6.json`): on a grid that contains all of it, the flux changes by {num}`skirt-change:.0e`,
# which is rounding; on the common grid, 128 kpc wide, {num}`skirt-within:.1f` of the light in r remains, and the rest is outside.
# Without the file no picture appears here; {doc}`/real_data` explains how to download one.
# The source `dmlib.observe.images.published.PublishedSkirt` provides such images to all later chapters, for every galaxy that has a file; `box_view`
# then rotates the HI to the same line of sight.
#
# ### Running SKIRT yourself
#
# The published images have one line of sight each.
# With SKIRT you can make other views: `dmlib.observe.skirt` writes a galaxy's stars, star-forming regions and dusty gas as input for SKIRT, with our
# lines of sight as its instruments, and reads its frames back.
# The recipe is that of the published images {cite}`RodriguezGomez2019`; with `library="self-contained"` dmlib's own tables replace SKIRT's resource
# packs, and the magnitudes of the particles are converted to spectra.
# How much of the light do these spectra contain?

# %%
from dmlib.observe.skirt.export import light_budget
from dmlib.observe.skirt.source import FIELDS, compare

# %%
both = load_galaxy(tree, subhalo_id, extra=FIELDS)
record(
    "skirt-budget",
    100 * np.abs(light_budget(both) - 1).max(),
    unit="%",
    n=1,
    statement="Light of the spectra written for SKIRT, largest difference "
    "from the particle light in five bands",
)

# %% [markdown]
# The largest difference from the particle light is {num}`skirt-budget:.3f`.
# (For TNG itself, whose magnitudes come from another population model, this number is the difference between the two models.)
# The SKIRT images are shown if a `skirt` executable is available.

# %%
own, sentence = compare(both, inclined, close)
print(sentence)

# %%
if own is not None:
    record(
        "skirt-flux",
        100 * np.abs(own.ratio - 1).max(),
        unit="%",
        n=1,
        statement="Flux without dust, SKIRT against particle light, largest "
        "difference in five bands; criterion: at most 3 %",
        figure="photometry_own_skirt",
    )
    show(
        figures.dust(
            {"particle light": own.particles, "SKIRT": own.skirt}, close
        ),
        settings,
        "photometry_own_skirt",
        caption="One galaxy by particle light and by SKIRT, without and with "
        "dust, and the dimming by dust in r.",
        alt="Two rows of three images of the same inclined galaxy, which "
        "agree in form and colour; SKIRT's are grainy.",
        n=1,
    )

# %% [markdown]
# We ran SKIRT itself once on galaxies of our own, with and without dust, at three inclinations (`records/skirt_own_runs.json`).

# %%
from dmlib.observe.skirt.source import unpack

# %%
measured = load.record("skirt_own_runs")["measured"]

# %%
for name, row in measured["numbers"].items():
    record(
        f"skirt-runs-{name}",
        **row,
        n=len(measured["galaxies"]),
        universe="embedded (records/skirt_own_runs.json)",
        figure="photometry_skirt_runs",
    )

# %%
kept = measured["picture"]
shape = SkyGrid(kept["field_of_view"], kept["shape"][2])
pictures = images.from_maggies(unpack(kept), shape.pixel_area)
face, edge = (tuple(pair) for pair in pictures)

# %%
show(
    figures.dust({"face-on": face, "edge-on": edge}, shape),
    settings,
    "photometry_skirt_runs",
    caption="A galaxy of the embedded universe through SKIRT, without and "
    "with dust, and the dimming by dust in r (a record); grey where there is "
    "no light to dim. The grains are the noise of counted photon packets.",
    alt="Two rows of three grainy images: a disc galaxy face-on, hardly "
    "changed by dust, and edge-on, where dust dims the thin bright disc.",
    n=1,
    source="embedded universe, records/skirt_own_runs.json",
)

# %% [markdown]
# Without dust SKIRT and particle light agree to {num}`skirt-runs-flux:.2f`.
# With dust they differ most face-on: {numref}`fig-photometry-skirt-runs` shows one of these galaxies by SKIRT, {numref}`fig-photometry-dust` another one by the
# column model.
# There the column model dims the {num}`skirt-runs-galaxies` galaxies by {num}`skirt-runs-model-face:.2f` in g on average, and SKIRT by
# {num}`skirt-runs-skirt-face:.2f`: with its dust a face-on disc can be brighter than without.
# The difference has three parts, which appear one after the other when the model is changed in steps:
#
# - SKIRT's run has no birth clouds around young stars. Without them the model dims by {num}`skirt-runs-unborn-face:.2f`.
# - Its dust differs: 0.3 of the metals, in cells that form stars. For columns of this dust the model would dim by
#   {num}`skirt-runs-same-face:.2f`.
# - Its photons scatter. Dust that hides a disc from the side sends part of that light out through its faces.
#
# The last part can be computed.
# Let $E(\mathbf n)$ be the fraction of the light that leaves in direction $\mathbf n$ without meeting dust, $\bar E$ its mean over directions and
# $\omega$ the albedo.
# If scattered light escapes as starlight does, the fraction that leaves is {cite}`Varosi1999`
#
# $$F(\mathbf n) = \frac{E(\mathbf n)}{1-\omega(1-\bar E)} ,$$
#
# which can exceed 1 face-on.
# This gives {num}`skirt-runs-escape-face:.2f` face-on, {num}`skirt-runs-escape-flat:.2f` at 50 degrees, where SKIRT has {num}`skirt-runs-skirt-flat:.2f`,
# and {num}`skirt-runs-escape-edge:.2f` edge-on, where SKIRT has {num}`skirt-runs-skirt-edge:.2f` and our model {num}`skirt-runs-model-edge:.2f`; with
# SKIRT's dust and without birth clouds the column model gives {num}`skirt-runs-same-edge:.2f` edge-on.
# Birth clouds and the amount of dust are assumptions, which SKIRT does not test; the neglect of light scattered towards the observer is an error of
# our model, {num}`skirt-runs-scattered:.2f` in g face-on.
# We keep the model as it was published and compared with the SDSS {cite}`Nelson2018`.
#
# Does it matter to a network? Forty true centrals were imaged in both ways, in the same views, and C, the ring network of {doc}`10_networks`, was trained
# on each kind of image (`records/skirt_data_set.json`).

# %%
kept = load.record("skirt_data_set")["measured"]
few = {
    "n": kept["galaxies"]["test"],
    "universe": "embedded (records/skirt_data_set.json)",
}
errors = kept["mean_error_5_to_50_kpc"] | {
    "difference": kept["skirt_less_particles"]
}

# %%
for id, name, say in (
    ("own", "particles, tested on particles", "on particle light"),
    ("skirt", "skirt, tested on skirt", "on images of SKIRT"),
    ("moved", "particles, tested on skirt", "of particle light, on SKIRT"),
    ("difference", "difference", "on SKIRT less that on particle light"),
):
    record(
        f"skirt-set-{id}",
        100 * errors[name]["value"],
        error=100 * errors[name]["error"],
        unit="%",
        statement=f"Error of C at 5 to 50 kpc, ugriz, {say}",
        **few,
    )

# %% [markdown]
# From 5 to 50 kpc the network trained on particle light has a mean error of {num}`skirt-set-own:.1f±` on such images, that trained on SKIRT's images {num}`skirt-set-skirt:.1f±`
# on its own kind; the difference is {num}`skirt-set-difference:+.1f±`, on {num}`skirt-set-own.n` test galaxies. On SKIRT's images the network trained on particle light has
# {num}`skirt-set-moved:.1f±`. So few galaxies would not reveal a difference of a percentage point, and true centrals alone are easier than the whole sample.
#
# :::{admonition} How to get SKIRT
# :class: dropdown
# SKIRT 9 (not 10, which uses different parameter files) is free software and takes a quarter of an hour to build from source
# ([skirt.ugent.be](https://skirt.ugent.be)):
#
# ```bash
# mkdir SKIRT && cd SKIRT
# git clone https://github.com/SKIRT/SKIRT9.git git
# cd git && ./makeSKIRT.sh     # needs cmake and a C++ compiler
# ./downloadResources.sh       # not needed for library="self-contained"
# export DMLIB_SKIRT=$PWD/../release/SKIRT/main/skirt
# ```
#
# Then run this chapter again, or process one galaxy: `dmlib skirt export 12 --out galaxy` and `dmlib skirt run galaxy`; for a data set with such
# images, use `Recipe(images="skirt")`.
# :::
#
# ## What the SDSS would have seen
#
# A survey adds its pixels of 0.396 arcsec, the blur of the atmosphere, and the noise of the night sky, whose level must then be estimated and subtracted.

# %%
camera = SdssLight(behind_dust, seed)
ideal = behind_dust.image(galaxy, inclined, close)
seen = camera.image(galaxy, inclined, close)
both = {"ideal": ideal, "SDSS": seen}
radius, rings = images.ring_brightness(both, close, bins=15)
noise = images.surface_magnitude(patch_noise(close.pixel_size))[2]

# %%
show(
    figures.survey(ideal, seen, close, radius, rings, noise),
    settings,
    "photometry_survey",
    caption="One galaxy, ideal and as the SDSS would see it: colours, and "
    "brightness in r in rings around the centre. Dotted: noise of a pixel of "
    "the pictures.",
    alt="Two composite pictures, sharp and noisy, of the same inclined "
    "galaxy, and a graph of surface brightness against radius in which the "
    "survey's points lie on the ideal line in the bright part and fall below "
    "it further out, by more and more.",
    n=1,
)

# %%
record(
    "sdss-depth",
    -2.5 * np.log10(sky_noise()[2] / PIXEL**2),
    unit="mag/arcsec2",
    statement="Noise of one SDSS pixel in r",
)
record(
    "sdss-flux",
    seen[..., 2].sum() / ideal[..., 2].sum(),
    n=1,
    statement="Ratio of SDSS to ideal flux in r, galaxy shown",
    figure="photometry_survey",
)

# %% [markdown]
# One SDSS pixel has a noise {cite}`Stoughton2002` of {num}`sdss-depth:.1f` in r, and averaging over many pixels goes deeper ({numref}`fig-photometry-survey`).
# The flux found is {num}`sdss-flux:.2f` of the true one for this galaxy: the sky is estimated along the edge of the picture, and faint light of the galaxy that
# reaches the edge is subtracted with it, as in the survey itself.
# We do not add the other stars and galaxies that a real image has in its field.
# By default the networks are trained on ideal images, as those of the paper seem to have been (we found no mention of noise); realism is an option of the data set.
#
# ## Network inputs
#
# Brightness spans five powers of ten.
# The network reads asinh magnitudes {cite}`Lupton1999`,
#
# $$x = \operatorname{asinh}(I/2b)\,/\ln 10 ,$$
#
# which are logarithmic where the galaxy is bright and linear where it is fainter than $b$, the noise of the SDSS averaged over (2 kpc)².
# The five constants
# $b$ are fixed in advance and the same for all galaxies: nothing is scaled to a sample, and a bright galaxy stays bright.

# %%
arrays = {}
for view in lines_of_sight(subhalo_id, axis, seed=seed):
    image = behind_dust.image(galaxy, view, grid)
    arrays[f"view {view.index}, {view.inclination:.0f}°"] = normalise(
        image, behind_dust.unit, behind_dust.bands, grid
    )

# %%
show(
    figures.images_as_input(arrays),
    settings,
    "photometry_input",
    caption="The images of the data set: three random views of one galaxy, "
    "five bands, common grid, asinh magnitudes.",
    alt="Three rows of five small images on a dark background, the same "
    "galaxy at three inclinations in u, g, r, i and z, brightest in g, r, i.",
    n=1,
)

# %% [markdown]
# {numref}`fig-photometry-input` is all that a network sees of a galaxy's stars: brightness, size, colours, shape.
#
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# Put all the dust in front of the stars (`Dust(geometry="screen")`) and compare dimming and reddening, edge-on, with those of the mixed model.
# Which of the two reddens more for the same dimming, and why?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# from dmlib.observe.images.dust import Dust
#
# for geometry in ("internal", "screen"):
#     source = ParticleLight(dust=Dust(geometry=geometry))
#     dimming = whole(source, edge_on) - bare
#     reddening = dimming[1] - dimming[2]
#     print(geometry, dimming[2], reddening, reddening / dimming[2])
# ```
# The screen dims and reddens more, but for the same dimming the mixture reddens more.
# A screen dims each star by $e^{-\tau}$ and reddens it in proportion. Edge-on, the stars in the midplane vanish altogether behind it, and those that remain have
# little dust in front and are hardly reddened.
# A mixture loses colour as well: its light comes from the front, down to an optical depth of about one at any wavelength, and for thick dust
# $(1-e^{-\tau})/\tau \to 1/\tau$. But it hides no star completely.
# Face-on, where the dust is thin, the two redden alike for the same dimming (compare with `birth_clouds=False`: the clouds of young stars redden too).
# :::
#
# ## Summary
#
# - Radiative transfer follows emission, absorption and scattering; the published SKIRT images have g, r, i, z in counts, with one view per galaxy.
# - By default light comes from the particles: five bands, any view, flux conserved to rounding.
# - The dust in front of a star follows the column of neutral gas and its metals; it dims moderately inclined galaxies by {num}`dimming-flat:.2f` in g and
#   steeply inclined ones by {num}`dimming-steep:.2f`.
# - The offset of the galaxies' colours is {num}`colour-dusty:.2f` from the observed blue sequence and {num}`colour-quiet:.2f` from the red one.
# - A network reads asinh magnitudes with constants fixed in advance; the survey's blur and noise are an option.
#
# ## What's next
#
# {doc}`06_hi_with_martini` observes the same galaxies, along the same lines of sight, in the hydrogen line; {doc}`07_data_set` combines the two.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
