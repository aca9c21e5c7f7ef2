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
# (real-cubes)=
# # A real HI cube: NGC 2903
#
# **Objective: go from a real telescope's cube to a dark-matter profile, and compare it with the prediction of a network trained only on simulations.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | Rings, beams, mass models | the same steps on a simulated galaxy | {doc}`15_rotation_curves` |
# | Haloes and posteriors | the final fit | {doc}`16_sparc` |
# | Networks on HI maps | the network whose prediction we compare | {doc}`11_inputs` |
#
# You will be able to
#
# 1. read an HI cube of any telescope, and name the metadata that it must provide;
# 2. measure its rotation curve and compare it with published ones;
# 3. convert a real observation to the format and quality of a training set;
# 4. test whether a galaxy lies within the training distribution of a network, and say how far its prediction can then be trusted;
# 5. do all this with a cube of your own, in one command.
#
# Reading takes about 15 minutes, running about a minute once the data set and the networks are made.

# %% [markdown]
# ```{found}
# chapter: real_cubes
# # The book fills this box from the recorded numbers.
# ```

# %% tags=["parameters"]
universe = "embedded"  # generated here; or "files", a TNG tree on disk
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
network = "C/hi"  # architecture and inputs of the ensemble that is used
cube = ""  # HI cube of your own galaxy, a FITS file; "" for NGC 2903
distance = 0.0  # of your own galaxy [Mpc]
centre = ""  # of your own galaxy, right ascension and declination (ICRS)

# %%
from textwrap import fill

import numpy as np

from dmlib import load
from dmlib.figures import rotation_curves as figures
from dmlib.figures import show
from dmlib.networks.opinion import place_among_training, predict_galaxy
from dmlib.observe.degrade import degrade
from dmlib.observe.moments import MomentMaps, integrated_flux, moment_maps
from dmlib.results import recorder
from dmlib.rotation.curve import sentences
from dmlib.rotation.fit import fit
from dmlib.rotation.measure import choose_view, truth_of
from dmlib.rotation.realcube import load_real, mass_model, priors_for
from dmlib.rotation.rings import fit_rings, model_field
from dmlib.settings import Settings

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)

# %% [markdown]
# ## The cube
#
# NGC 2903 is a barred spiral at about 7 Mpc. Its HI was observed for WHISP with the Westerbork array {cite}`vanderHulst2001`, and a public tilted-ring program
# distributes the cube as its test case {cite}`Kamphuis2015`.
# The next line finds it in a local copy or downloads it.

# %%
dataset, observer = load.dataset(settings), load.observer(settings)
galaxy = load_real(dataset, observer, cube, distance, centre)
print(fill(galaxy.note or f"{galaxy.name}: {galaxy.source}", 79))

# %% [markdown]
# If the line above says that the cube could not be obtained, this copy of the book was made without a network connection: run `dmlib fetch ngc2903-cube`, or set `DMLIB_MIRROR` to a folder that
# contains it. In that case a simulated galaxy replaces it, read from a FITS file like any other, and every caption says so. It is one of the training galaxies, which the network has seen, so that only the steps are then
# tested, not the network; and the statements about NGC 2903 in the text do not apply.
#
# Every telescope writes its cubes in its own way. `read_cube` reads scale, turn and frame of the map with astropy's `WCS`, velocities in the radio, optical and relativistic
# convention or frequencies with `SpectralCoord`, and Jy/beam, Jy/pixel or kelvin in any spelling; if the file does not give the beam, it must be passed as an argument.
# It measures the noise about the median, pixel by pixel where that is needed, subtracts baselines and residuals of the continuum, and lists all that it assumed or changed.
# What cannot be told, such as another line than HI, a beam that varies, or `MJY/BEAM`, it refuses in a sentence that names the card.

# %%
sky, simulated = galaxy.sky, galaxy.subhalo_id is not None
record = recorder(settings, chapter="real_cubes", universe=galaxy.source)
surface_density, _, _ = galaxy.emission.moments()  # companions left out
pixel = 1e3 * galaxy.kpc * sky.pixel  # [pc]
own = np.nansum(surface_density) * pixel**2
everything = 2.36e5 * galaxy.distance**2 * integrated_flux(sky)
print(f"{sky.data.shape} (velocity, y, x), beam {sky.beam.major:.0f} arcsec")
print("; ".join(sky.notes) or "nothing had to be assumed")

# %%
of = f"of {galaxy.name}"
channel, beam = sky.channel_width, sky.beam.major * galaxy.kpc
record(
    "real-distance", galaxy.distance, unit="Mpc", statement=f"Distance {of}"
)
record("real-channel", channel, unit="km/s", statement=f"Channels {of}")
record("real-beam", beam, unit="kpc", statement=f"Beam's major axis {of}")
record("real-m-hi", own, unit="Msun", statement=f"HI mass {of}")
record(
    "real-m-hi-field",
    everything,
    unit="Msun",
    statement=f"HI mass in the cube {of}, companions included",
)
record(
    "real-simulated",
    int(simulated),
    statement="Whether the galaxy is simulated and its dark mass known (1)",
)

# %%
row = dataset.table[choose_view(dataset)] if simulated else None

# %%
if simulated:
    for name, unit, what in (
        ("m_star", "Msun", "Stellar mass"),
        ("sfr", "Msun / yr", "Star formation rate"),
        ("m200", "Msun", "M200 of the group"),
        ("inclination", "deg", "True inclination"),
    ):
        value, id = row[name].to_value(unit), name.replace("_", "-")
        statement = f"{what} {of}"
        record(f"real-own-{id}", value, unit=unit, n=1, statement=statement)

# %% [markdown]
# ```{recorded} real-own-m-star
# The galaxy is simulated: the central of a group with $M_{200} =$ {num}`real-own-m200:.2e`, with {num}`real-own-m-star:.2e` of stars, which forms {num}`real-own-sfr:.1f` and is seen at an inclination of
# {num}`real-own-inclination:.0f`. It is the galaxy and the view that {doc}`15_rotation_curves` follows.
# ```
#
# At {num}`real-distance:.1f` the beam is {num}`real-beam:.1f` wide; the channels are {num}`real-channel:.1f` wide. The flux of the galaxy's own line corresponds to {num}`real-m-hi:.2e` of HI, that of
# all emission in the cube, with companions if there are any, to {num}`real-m-hi-field:.2e`.
#
# ## The rotation curve
#
# The steps are the same as in {doc}`15_rotation_curves`.

# %%
field = galaxy.field()
known = galaxy.centre is not None
curve = fit_rings(field, centre=galaxy.centre_kpc if known else None)
model = model_field(curve, field)
print(f"accepted: {curve.accepted} {sentences(curve.reasons)}")

# %%
show(
    figures.velocity_field(field, model, curve),
    settings,
    "real_velocity_field",
    caption="Velocities relative to the systemic velocity: measured, with "
    "every second ring drawn; of the fitted rings, blurred by the beam (grey, "
    "lower left); and the difference, on a narrower scale.",
    alt="Three maps. A disc with one red and one blue half, the same from "
    "the rings, and a pale difference with patches.",
    n=1,
    source=galaxy.source,
)

# %%
record(
    "real-inclination",
    curve.mean_inclination,
    error=curve.inclination_err,
    unit="deg",
    statement=f"Inclination {of} from tilted rings",
)
record("real-v-sys", curve.v_sys, unit="km/s", statement=f"V_sys {of}")

# %% [markdown]
# The rings find an inclination of {num}`real-inclination:.1f±` and a systemic velocity of {num}`real-v-sys:.0f`.
#
# ```{recorded} real-agree
# SPARC gives 66 degrees for NGC 2903, and the published model of this same cube 69 degrees and 556 km/s.
# ```
#
# In the difference map of {numref}`fig-real-velocity-field` look at the centre: where there is a bar, as in NGC 2903, gas streams along it, which rings cannot describe.

# %%
published = "; grey: published curves" if galaxy.references else ""

# %%
show(
    figures.curve(curve, references=galaxy.references),
    settings,
    "real_curve",
    caption="Above: rotation curve from the whole disc (circles, with errors; "
    "open where flagged), from either side alone (triangles), and after the "
    f"correction for asymmetric drift (line){published}. Below: tilt of the "
    "rings.",
    alt="Points with errors that stay high over most of the disc, and, where "
    "published curves are available, grey lines; below, two lines of the "
    "tilt.",
    n=1,
    source=galaxy.source,
)

# %% [markdown]
# Follow the grey curves of {numref}`fig-real-curve`, if there are any, from the outside inwards, and see where they depart from the points. We compare the unflagged rings
# beyond two beams. We interpolate the published curves to the radii of our rings and print, for each, the
# median difference and the largest.

# %%
beyond = curve.good & (curve.radius > 2 * curve.beam)
agreement = {}
for name, (radius, speed) in galaxy.references.items():
    here = beyond & (curve.radius <= radius[-1])
    off = curve.v_rot[here] / np.interp(curve.radius[here], radius, speed) - 1
    agreement[name] = 100 * off
    print(f"{name}: median {np.median(off):+.1%}, worst {abs(off).max():.1%}")

# %%
for name in list(agreement)[:1]:
    off = agreement[name]
    said = f"V_rot {of} against {name} beyond two beams (n: rings)"
    more = {"unit": "%", "n": len(off), "figure": "real_curve"}
    record("real-agree", np.median(off), statement=said, **more)
    record("real-worst", abs(off).max(), statement=f"{said}, largest", **more)

# %% [markdown]
# ```{recorded} real-agree
# Beyond two beams the curve differs from the first of these, that of SPARC where available, by {num}`real-agree:.1f` in the median and {num}`real-worst:.1f` at
# most.
# ```
#
# ```{not-recorded} real-agree
# This copy has no published curve to compare with.
# ```
#
# Another team measured SPARC's curve with a smaller beam {cite}`Begeman1987`, so the comparison tests both methods and data. The other published model
# is of this same cube. It has few rings without regularisation, and varies by tens of km/s between neighbours; this causes its largest differences
# from our curve and from SPARC. Within two beams, where the bar is, curves of different resolution need not agree, and do not.
#
# ## Dark matter
#
# What is left when the visible matter is subtracted? The gas mass comes from this cube, with helium added, deprojected with the tilt of the rings; its gravity is that of a
# disc of finite thickness. Stars need an image: we use the speeds that SPARC computed from its photometry at 3.6 µm, with a mass-to-light ratio of 0.5 known to 0.1 dex. The
# inclination is free within its error and 2 degrees. (With the cube of NGC 2903 but without SPARC, or with a cube of your own, no stars are subtracted, and the dark component includes
# them. For the simulated galaxy that stands in, the stars come from the colours of its images, as in {doc}`15_rotation_curves`.)

# %%
mass = mass_model(galaxy, curve) if curve.accepted else None
fits = {}
if mass is not None:
    for halo in ("nfw", "burkert"):
        fits[halo] = fit(mass, halo, priors_for(mass), seed=seed)
print(", ".join(fits) or "the curve is not accepted: no halo is fitted")

# %% [markdown]
# ## The prediction of a network
#
# The network was trained on simulated galaxies observed with one telescope. Before it can be applied to this galaxy, the observation must match the training data: the same
# distance, beam, channels and pixels, velocities relative to the systemic velocity, the same noise, and the same source finding. `degrade` does this,
# and lists what it could not match.

# %%
moved = degrade(
    sky,
    galaxy.distance,
    tuple(np.array(curve.centre) / galaxy.kpc),
    curve.v_sys,
    dataset.grid,
    dataset.recipe.hi,
    seed=seed,
)
maps = moment_maps(moved)
print("\n".join(moved.notes) or "like the survey in every respect")

# %%
ids = np.asarray(dataset.table["subhalo_id"])
train = dataset.rows("train")
train = train[ids[train] != galaxy.subhalo_id]  # another galaxy
nearest = np.abs(np.log(dataset.table["m_hi"][train].value / maps.m_hi + 1e-9))
twin = train[np.argmin(nearest)]
stack = dataset.hi([twin])[0].astype(float)
other = MomentMaps(
    *np.moveaxis(stack, -1, 0), dataset.grid, dataset.recipe.hi, -1, 0
)

# %%
show(
    figures.as_survey(maps, other),
    settings,
    "real_as_survey",
    caption="Above, the galaxy as input to the network; below, of the "
    "training views of other galaxies the one that is nearest in the HI mass "
    "of the whole field, companions included.",
    alt="Two rows of three small maps, column of HI, velocity and "
    "dispersion. Both rows show a blurred disc with one red and one blue "
    "half.",
    n=2,
    source=f"{galaxy.source or galaxy.name}, and {settings.label}",
)

# %% [markdown]
# Differences that a person can see in {numref}`fig-real-as-survey`, a network can detect as well: arms, bars, the sharpness of an edge. We therefore test **whether this galaxy is similar to the
# training galaxies**. Seven numbers describe the maps of each view: the logarithms of the surface density, summed over the pixels, which is proportional to the HI mass, of the number of pixels with HI ("area"), of the width of the velocities from 5 to 95 per cent ("velocity width") and of the 95th percentile of the surface density ("peak density"); the share of the HI in the densest tenth of its pixels; the median dispersion; and the share of the enclosing circle that is filled with HI. The Mahalanobis distance measures how far the galaxy lies from the mean of the training views, in
# units of their scatter and with correlations taken into account; the distance to the fifth nearest neighbour is also sensitive to gaps in the distribution.

# %%
placed = place_among_training(dataset, maps.stack)
show(
    figures.placement(placed),
    settings,
    "real_placement",
    caption="Seven properties of the HI maps, logarithms to base 10: numbers "
    "of training views (histograms, each on its own scale) and this galaxy "
    "(lines).",
    alt="Seven histograms, each with a vertical line for the galaxy.",
    n=f"{len(placed.train)} training views",
    source=f"{settings.label}; line: {galaxy.source or galaxy.name}",
)

# %%
where = {"figure": "real_placement", "n": len(placed.train)}
record(
    "real-mahalanobis",
    placed.distance,
    statement=f"Mahalanobis distance {of} from the training views",
    **where,
)
record(
    "real-beyond",
    100 * placed.beyond,
    unit="%",
    statement="Training views that lie further out than the galaxy",
    **where,
)
record(
    "real-beyond-near",
    100 * placed.beyond_neighbour,
    unit="%",
    statement="Training views that are more isolated than the galaxy",
    **where,
)
print("inside" if placed.inside else "OUTSIDE", "the training distribution")

# %% [markdown]
# The galaxy lies at a Mahalanobis distance of {num}`real-mahalanobis:.1f`; {num}`real-beyond:.1f` of the training views lie further out, and {num}`real-beyond-near:.1f` have a more distant
# fifth neighbour. We call a galaxy inside when both are at least 1 per cent; the line printed above gives the verdict.
# A training galaxy can be outside by this rule, too: about one view in a hundred is. Few galaxies resemble it then, and a network can be wrong for it although it has seen it.
# Being inside means less than it seems. Seven numbers do not describe the maps completely, and even if the *inputs* lie within a simulation, its relation between inputs and dark matter need not be that of
# nature: that relation is what the simulation assumes.

# %%
predicted, reason = predict_galaxy(load.models(settings), network, maps.stack)
print(reason or f"members of {network}: {len(predicted)}")

# %%
truth = None
if simulated:
    truth = dataset.dm_profile[np.argmax(ids == galaxy.subhalo_id)]

# %%
show(
    figures.profiles(dataset.radii, fits, predicted, truth),
    settings,
    "real_profiles",
    caption="Dark-matter mass within each radius: mass models (68% intervals; "
    "dotted where extrapolated), and predictions of the members of the "
    "network's ensemble (thin lines; mean: triangles); black, where it is "
    "known: the truth.",
    alt="Rising curves of mass against radius on logarithmic axes, bands for "
    "two mass models and a bundle of lines for the network.",
    n=1,
    source=f"{galaxy.source or galaxy.name}; network: {settings.label}",
)

# %%
masses, compared = {"truth": truth}, []
if fits and len(predicted):
    masses["network"] = np.exp(predicted.mean(axis=0))
    masses["NFW mass model"] = fits["nfw"].m_dm
    compared = [("real-ratio", "network", "NFW mass model")]
    if truth is not None:
        compared.append(("real-true", "NFW mass model", "truth"))
        compared.append(("real-network-true", "network", "truth"))
for id, one, other in compared:
    for radius in (5.0, 20.0):
        k = int(np.argmin(np.abs(dataset.radii - radius)))
        record(
            f"{id}-{radius:.0f}",
            masses[one][k] / masses[other][k],
            figure="real_profiles",
            statement=f"{one} over {other}, dark mass {of} at the target "
            f"radius nearest {radius:g} kpc",
        )

# %% [markdown]
# ```{recorded} real-ratio-20
# Near 5 kpc the network's dark-matter mass is {num}`real-ratio-5:.2f` times that of the NFW mass model, near 20 kpc {num}`real-ratio-20:.2f` times.
# ```
#
# ```{not-recorded} real-ratio-20
# In this copy there is either no mass model, because the curve was not accepted, or no network to compare it with.
# ```

# %%
if truth is not None and compared:
    parts = truth_of(observer, galaxy.subhalo_id, mass.radius)
    record(
        "real-speed",
        100 * np.median(mass.v_obs / parts["total"] - 1),
        unit="%",
        statement=f"Error of the circular speed {of}, median (n: rings)",
        n=len(mass.radius),
    )
    record(
        "real-stars",
        np.median(mass.v_stars() / parts["stars"]),
        statement=f"Speed of the stars {of} over the true one, median "
        "(n: rings)",
        n=len(mass.radius),
    )
    record(
        "real-gas",
        np.median(mass.v_gas / parts["gas"]),
        statement=f"Speed of the gas {of} over the true one, median "
        "(n: rings)",
        n=len(mass.radius),
    )

# %% [markdown]
# ```{recorded} real-true-20
# The galaxy is simulated, and its dark mass known. The mass model has {num}`real-true-5:.2f` times as much near 5 kpc and {num}`real-true-20:.2f` times near 20 kpc, the network
# {num}`real-network-true-5:.2f` and {num}`real-network-true-20:.2f` times. Three errors of the mass model can be told apart: its circular speeds are off by {num}`real-speed:+.1f` in the median; the speed due to its stars,
# whose mass comes from colours, is {num}`real-stars:.2f` times the true one; and that due to its gas, of which only the HI is seen, {num}`real-gas:.2f` times ({doc}`15_rotation_curves`). The rest is the assumed shape of the halo.
# ```
#
# What does {numref}`fig-real-profiles` show? For a simulated galaxy the black line is the truth, and decides; but the network has seen this galaxy in training, so that its agreement is no
# test. For a real galaxy the figure does **not** show that either is right: its true dark-matter mass is unknown. The mass model is based on the measured
# rotation of this galaxy; it depends on the stellar mass in the centre and on the assumed shape of the halo outside the last ring. The network contains no explicit information on rotation or gravity; it
# predicts what galaxies with similar maps had in its training universe. By default that is the embedded one, written for this book, whose
# haloes follow relations measured on the catalogue of TNG100, by construction. Where the two agree, the simulation's relations and the real galaxy's rotation are compatible. Where they differ, one
# real galaxy does not tell which is wrong. A serious application to real galaxies requires networks trained on real simulations, more than one of them,
# and many galaxies whose mass is known by other means.
#
# :::{admonition} Exercise
# :class: tip
# Place the galaxy at a distance that is wrong by 30 per cent (SPARC's error for NGC 2903). What happens to the network's prediction, and to
# the rotation curve?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# for wrong in (0.7, 1.0, 1.3):
#     at = wrong * galaxy.distance
#     offset = tuple(np.array(curve.centre) / galaxy.kpc)
#     again = degrade(
#         sky,
#         at,
#         offset,
#         curve.v_sys,
#         dataset.grid,
#         dataset.recipe.hi,
#         seed=seed,
#     )
#     again = moment_maps(again)
#     ln, _ = predict_galaxy(load.models(settings), network, again.stack)
#     print(wrong, np.exp(ln.mean(axis=0)[[5, 12]]))
# ```
# Speeds do not depend on the distance and radii scale with it, so the dynamical mass within an *angle* scales with the distance. The HI mass in the network's input
# scales with its square.
# :::

# %% [markdown]
# ## Your own galaxy
#
# All the steps of this chapter are one command:
#
# ```bash
# dmlib galaxy CUBE.fits --distance 8.9Mpc --out FOLDER
# ```
#
# Without a centre the brightest emission is taken, with the centre of its velocity field; `--centre` names another galaxy of the map. Parts of a cube that is larger than the memory are read with
# `--velocities 400:700` and `--field 20` (arcmin); `--mask`, `--noise` and `--beam` replace what the file does not tell. Stars come from a table of speeds such as SPARC's (`--stars`), from a mass and a scale length (`--m-star 1e10,2.5`), or
# from images in g and r, g and i, K, W1 or 3.6 µm (`--image g=G.fits,r=R.fits`), with a mass-to-light ratio of stated source, or from one image in any of $ugriz$, J, H and K with yours (`--upsilon`). Without stars the dark mass includes them; it is then called an upper limit, on the page and in the verdict.
# With `--engine barolo` the rings are those of 3D-Barolo, see {doc}`15_rotation_curves`.
# The parameters `cube`, `distance` and `centre` of this chapter make the chapter itself of another galaxy.
#
# The folder holds one page as PDF and PNG, tables with units (ECSV), the maps (FITS), and `verdict.json` for programs. The next cell makes the page of the galaxy of this chapter.

# %%
from dmlib.rotation.own_galaxy import analyse, summary

found = analyse(galaxy, seed=seed)
print(summary(found))

# %%
show(
    figures.page(found, summary(found)),
    settings,
    "real_page",
    caption="The page of `dmlib galaxy`: maps, rotation curve, mass model "
    "and dark mass, with its own caption.",
    alt="Four maps above a rotation curve with a verdict in words, and, if "
    "the curve is accepted, a mass model and the dark mass within each "
    "radius.",
    n=1,
    source=galaxy.source,
)

# %% [markdown]
# Read {numref}`fig-real-page` from above: do the rings follow the measured velocities, and do the two sides agree? Only then does the lower half mean anything, and it is drawn only then. A curve is accepted when its inclination lies between 30 and 80 degrees and the disc cannot be
# edge-on within the errors (its minor axis spans at least 2.5 beams), when at least four beams lie across it, its sides agree, and neither the edge of the map nor foreground of the Milky Way cuts it off.
# Gas that has no counterpart at the other end of the disc is taken for that of another galaxy and replaced by the gas of that end; rings of which it covers more than a fifth are drawn open and not fitted.
# Each reason for a refusal has a name in `verdict.json`. No halo is fitted to a curve that is not accepted, unless `--force` asks for it.
#
# Not every reader has the cube of NGC 2903. What this code measured on it is kept in a record of the repository, and printed here.

# %%
kept = load.record("ngc2903")["measured"]
rings, sparc = kept["verdict"]["rings"], kept["sparc"]
print(f"inclination {rings['inclination_deg']:.1f} deg")
print(f"systemic velocity {rings['v_sys_kms']:.0f} km/s")
print(f"against SPARC: {sparc['median']:+.1%}, worst {sparc['worst']:.1%}")

# %% [markdown]
# If the galaxy of this chapter is NGC 2903, its numbers above were measured anew; they agree with the record up to the centre, which the record leaves free.
#
# One galaxy proves little. A second public cube, of NGC 6946 {cite}`Boomsma2008`, is harder: it is written in another dialect, the disc is seen closer to face-on, and gas
# of the Milky Way lies in front of its approaching half (`dmlib fetch ngc6946-cube`). What the same command made of it is also kept.

# %%
second = load.record("ngc6946")["measured"]
for way, one in second.items():
    tilt, off = one["verdict"]["rings"]["inclination_deg"], one["sparc"]
    print(f"{way}: {tilt:.0f} deg, against SPARC {off['median']:+.1%}")
    for reason in one["verdict"]["reasons"]:
        print("   refused:", reason["sentence"])

# %%
given = second["inclination_of_sparc"]
for id, value, say in (
    ("tilt", given["verdict"]["rings"]["inclination_deg"], "inclination"),
    ("off", 100 * given["sparc"]["median"], "V_rot against SPARC, median"),
    ("worst", 100 * given["sparc"]["worst"], "V_rot against SPARC, largest"),
):
    record(
        f"real-second-{id}",
        value,
        unit="deg" if id == "tilt" else "%",
        universe="NGC 6946 (records/ngc6946.json)",
        n=given["sparc"]["rings"],
        statement=f"NGC 6946 with SPARC's inclination: {say} (n: rings)",
    )

# %% [markdown]
# The command refuses the galaxy, and names the foreground first. Left alone, the rings find a disc that is almost face-on, and speeds that are wrong by a factor: this is what the refusal is for.
# With the {num}`real-second-tilt:.0f` that SPARC gives (`--inclination 38 --force`) the speeds beyond two beams differ from SPARC's by {num}`real-second-off:.1f` in the median and
# {num}`real-second-worst:.1f` at most. It is still refused: behind the foreground its two sides do not agree.
#
# ## Summary
#
# - A real cube requires the same steps as a simulated one; the rings find an inclination of {num}`real-inclination:.1f±`.
# - `dmlib galaxy` does this for a cube of your own, and refuses a curve with its reasons.
# - Before a network is applied, a real galaxy must be converted to the observations of its training set, and compared with the training distribution:
#   {num}`real-beyond:.1f` of the training views lie further out.
# - The network's result for one real galaxy is a prediction, not a measurement: nobody knows the truth to compare it with. (For the simulated galaxy that may stand in, the truth is in the
#   figure, but the network knows it from training.)
#
# ## What's next
#
# {doc}`19_robustness` examines what happens when the training universe and the test universe differ, where the truth is known. The status of the paper's claims is in
# {doc}`20_conclusions`.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
