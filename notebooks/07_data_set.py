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
# (dataset)=
# # The data set
#
# **Objective: put every view of every galaxy into one file, with its target, and divide it so that a test is a test.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | The sample and its funnel | which galaxies are observed | {doc}`03_simulation_and_selection` |
# | The target profiles | what is to be predicted | {doc}`04_target_profiles` |
# | Images of starlight | five of the eight inputs | {doc}`05_photometry_with_skirt` |
# | HI moment maps | the other three | {doc}`06_hi_with_martini` |
#
# You will be able to
#
# 1. say what a view holds, and read views from the file in physical units or as a network reads them;
# 2. account for every galaxy between the catalogue and the data set;
# 3. explain why galaxies of one group belong on one side of the split;
# 4. recognise a leak between training and test by what it does to a regressor that only remembers.
#
# Reading takes about 15 minutes. Running takes a few minutes when the views have to be observed first, otherwise seconds.

# %% tags=["parameters"]
universe = "embedded"  # written here; or "files" or "api": the real TNG
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number: lines of sight, noise, split
base_path = ""  # the simulation's output folder, for universe "files"
n_examples = 8  # galaxies on the page of examples
n_splits = 20  # times that the split of the demonstration is drawn anew

# %%
import numpy as np
from astropy import units as u

from dmlib import load
from dmlib.dataset.leak import REGRESSORS, WAYS, demonstrate
from dmlib.dataset.split import SPLITS, straddling
from dmlib.figures import dataset as figures
from dmlib.figures import show
from dmlib.figures.tables import show_table
from dmlib.results import recorder
from dmlib.settings import Settings

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)
record = recorder(settings, chapter="dataset")

# %% [markdown]
# ## What a view is
#
# The paper looks at each galaxy along three lines of sight. For each of them the data set holds what a telescope would see: images of the
# starlight in five bands, and three maps of the HI line, all seen from the *same* direction and on the same pixels.
# Both take the matter of the whole FoF group, because a telescope does not know which stars are bound to what; so a companion in the field
# is in the picture.
# Each view also carries what nobody tells the network, such as its inclination.
#
# `load_dataset` observes the whole sample if that has not been done yet, in parallel and a block of galaxies at a time; a run that is
# killed goes on where it stopped.

# %%
dataset = load.dataset(settings)
print(
    f"{len(dataset)} views of {dataset.n_galaxies} galaxies, "
    f"{dataset.grid.pixels} pixels of {dataset.grid.pixel_size:g} kpc a side"
)

# %%
columns = {
    "subhalo_id": "d",
    "view": "d",
    "split": "d",
    "inclination": ".0f",
    "position_angle": ".0f",
    "m_star": ".2e",
    "m_hi": ".2e",
}
show_table(dataset.table[list(columns)], columns, rows=6)

# %% [markdown]
# Images and maps are stored in physical units: fluxes in maggies (the flux of magnitude zero), solar masses per square parsec, kilometres
# per second. What is blank is NaN, and nothing else is. Here is a view with a median amount of HI.

# %%
row = int(np.argsort(dataset.table["m_hi"])[len(dataset) // 2])
image, maps = dataset.images([row])[0], dataset.hi([row])[0]
print(
    f"image {image.shape} [{dataset.image_unit}], bands "
    f"{' '.join(dataset.bands)}, brightest {image.max():.2e}"
)
print(
    f"maps {maps.shape}, {np.isfinite(maps[..., 0]).mean():.0%} of the pixels "
    "with HI"
)

# %% [markdown]
# How does one choose lines of sight? At random, evenly over the sphere. Then the cosine of the inclination is spread evenly between 0 and 1:
# edge-on discs are common and face-on ones rare, as on the real sky.

# %%
cosine = np.cos(np.radians(dataset.table["inclination"].to_value(u.deg)))
n = dataset.n_galaxies

# %%
record("dataset-views", len(dataset), n=n, statement="Views in the data set")
record("dataset-galaxies", n, n=n, statement="Galaxies in the data set")
record(
    "dataset-cosine",
    cosine.mean(),
    error=np.sqrt(1 / 12 / len(cosine)),
    n=n,
    statement="Mean cos i of all views",
)

# %% [markdown]
# The mean of $\cos i$ is {num}`dataset-cosine:.2f±`, where $1/2$ is expected.
#
# ## Who is in it
#
# Between the catalogue and the data set galaxies are lost in three places: the selection, the target, and the observation. The first is the
# paper's. The other two should cost little, and must say whom they cost.

# %%
sample, targets = load.sample(settings), load.targets(settings)
counts = {
    "subhaloes": sample.meta["subhalos_in_catalogue"],
    "selected": len(sample),
    "with a target": len(targets),
    "observed": dataset.n_galaxies,
    "views": len(dataset),
}

# %%
show(
    figures.funnel(counts, figures.sides(dataset)),
    settings,
    "dataset_funnel",
    caption="From the catalogue to views, and how the galaxies are divided.",
    alt="Left, horizontal bars: the number of subhaloes, of selected "
    "galaxies, of those with a target, of those observed, and of views, three "
    "for each galaxy. Right, galaxies for training, validation and test, of "
    "which a small part are satellites.",
    n=dataset.n_galaxies,
)

# %% [markdown]
# Every galaxy that was set aside has its reason written beside it ({numref}`fig-dataset-funnel` has the numbers). A galaxy without gas has no HI
# maps, one with few gas cells would show the smoothing kernel and not the galaxy, and a damaged file costs the galaxies in it, not the run.

# %%
print(f"{len(dataset.set_aside)} of {len(sample)} galaxies set aside")
for row in dataset.set_aside[:20]:
    print(f"- {row['stage']}: {row['reason']}")

undetected = dataset.table["subhalo_id"][dataset.table["m_hi"] == 0]

# %%
record(
    "dataset-sample",
    len(sample),
    statement="Galaxies of the sample that were to be observed",
)
record(
    "dataset-aside",
    len(dataset.set_aside),
    n=len(sample),
    statement="Galaxies of the sample that are not in the data set",
)
record(
    "dataset-blank",
    len(np.unique(undetected)),
    n=dataset.n_galaxies,
    statement="Galaxies with a view in which no HI is detected",
)

# %% [markdown]
# Set aside here: {num}`dataset-aside` of {num}`dataset-sample`. A galaxy that has HI too faint to be detected is *not* among them: its maps are blank, and
# that is what the telescope saw. There are {num}`dataset-blank` galaxies with such a view.
#
# ## What the network is given
#
# A network wants numbers of order one. They must be made by a rule that is the same for all galaxies and learned from none. Dividing
# each image by its own maximum would throw away the brightness, which weighs the stars; subtracting the mean of the training images would be
# allowed, but must then never include a test image. We use scales fixed in advance: an inverse hyperbolic sine of the brightness
# {cite}`Lupton1999`, the logarithm of the column of HI, velocities over 200 and dispersions over 50 km/s.

# %%
batch = dataset.load("train", "all")
print(
    f"{batch.inputs.shape} (view, y, x, channel), {batch.inputs.dtype}; "
    f"channels {' '.join(dataset.channels('all'))}"
)

# %%
show(
    figures.channels(dataset, batch.inputs),
    settings,
    "dataset_channels",
    caption="Values of the eight channels in the training views, on a "
    "logarithmic scale: images where brighter than 0.05, maps where HI was "
    "found.",
    alt="Eight histograms with logarithmic height. The five bands fall from "
    "zero to about three. Moment 0 is a broad hump between minus one and "
    "two, moment 1 is symmetric about zero, moment 2 peaks below one half "
    "with a tail to larger values.",
    n=len(np.unique(batch.subhalo_id)),
)

# %% [markdown]
# In {numref}`fig-dataset-channels` all channels lie within a few units of zero. The tails are real: the brightest centres, the fastest edge-on
# discs, the pixels where the beam mixes both sides of a steep rotation curve.
#
# Sets of inputs have names. `all`, `photometry` and `hi` are used throughout this book; the authors' names work too.

# %%
for inputs in ("photometry", "hi", "SDSS_I", "SDSS_URZ_HI_012"):
    print(f"{inputs:16s} {' '.join(dataset.channels(inputs))}")

# %% [markdown]
# And this is what it comes down to: everything that a network knows of a galaxy, and what it is asked for.

# %%
first = np.flatnonzero(dataset.table["view"] == 0)
by_mass = first[np.argsort(dataset.table["m_star"][first])]
rows = by_mass[
    np.linspace(0.02 * len(by_mass), 0.98 * len(by_mass), n_examples).astype(
        int
    )
]

# %%
show(
    figures.examples(dataset, rows, dataset.inputs(rows)),
    settings,
    "dataset_examples",
    caption="Views of the data set, one a row, from the least to the most "
    "massive galaxy (log stellar mass and inclination on the left): five "
    "bands, HI column, velocity (blue approaches), dispersion, and the target "
    "from 1 to 100 kpc among those of all galaxies (shaded).",
    alt="Eight rows of nine small panels on the full field of view. In each "
    "row the same disc appears in five bands, in HI, and as a velocity "
    "field with a blue and a red half. The HI reaches further than the stars. "
    "The last panel shows a rising curve within a grey band.",
    n=len(rows),
)

# %% [markdown]
# Try to rank the galaxies of {numref}`fig-dataset-examples` by their dark matter from the pictures alone. Brightness is the first clue, the
# velocity field the second, and inclination spoils it: a face-on disc hides its rotation.
# Dispersion is partly the beam's doing ({doc}`06_hi_with_martini`).
#
# ## A split that separates
#
# The authors' 70, 20 and 10 per cent are for training, for the choices made while training, and for the test. The question is, per cent of *what*?
#
# - Not of views. Three views of a galaxy have the same target, and much the same light.
# - Not even of galaxies. The target is the dark matter of the whole FoF group, so that two galaxies of one group share part of their
#   targets, and, if they are close, each is in the other's picture.
#
# So we split by **FoF group**. Within that bound we deal out groups evenly in stellar mass, and those with satellites apart, because a tenth of a
# small sample drawn blindly can lack massive galaxies or satellites altogether. Nothing of the *targets* is used.

# %%
table = dataset.table
sides = np.asarray(table["split"])
two_sided = {
    key: len(straddling(np.asarray(table[key]), sides))
    for key in ("subhalo_id", "group_id")
}
print("on two sides:", two_sided)

# %%
record(
    "dataset-two-sides",
    sum(two_sided.values()),
    n=dataset.n_galaxies,
    statement="Galaxies and groups that are on two sides of the split",
)

# %%
for side in SPLITS:
    n = len(np.unique(table["subhalo_id"][dataset.rows(side)]))
    record(f"dataset-{side}", n, n=n, statement=f"Galaxies for {side}")
views_of_group = np.unique(table["group_id"], return_counts=True)[1]
record(
    "dataset-shared",
    (views_of_group > dataset.recipe.n_views).sum(),
    statement="Groups that hold several galaxies of the data set",
)

# %% [markdown]
# On two sides of the split are {num}`dataset-two-sides` galaxies and groups. Here {num}`dataset-shared` groups hold more than one galaxy of the data
# set; in TNG100, with its clusters, there are more.

# %%
show(
    figures.targets(dataset),
    settings,
    "dataset_targets",
    caption="Targets of the three sides. Left: dark mass within each radius "
    "over the median for training; thick lines are medians, the shading "
    "and the thin lines the middle 68 per cent. Right: distribution of the "
    "mass within 100 kpc.",
    alt="Left, three lines near one across all radii, with ranges from about "
    "two thirds to one and a half. Right, three rising step curves close "
    "to each other.",
    n=dataset.n_galaxies,
)

# %% [markdown]
# The {num}`dataset-train` galaxies for training, {num}`dataset-validation` for validation and {num}`dataset-test` for the test have
# much the same targets ({numref}`fig-dataset-targets`). The test is small, and its errors will be given with their uncertainty for that reason.
#
# ## What a leak pretends
#
# In the authors' scripts the random indices of the split are computed and never used: validation and test galaxies are training galaxies as well.
# What would that do? Let us try it on regressors so simple that one sees through them. Each view is boiled down to the mean and the root mean
# square of every channel in eight rings. Then
#
# - the **nearest neighbour** answers with the target of the training view that looks most alike: pure memory;
# - **ridge regression** is a linear formula with a penalty on large coefficients: hardly any memory.
#
# We train and test both in three ways, on splits drawn anew many times. Only galaxies for training and validation take part. The real test set is not
# touched, not even for a demonstration.

# %%
errors = demonstrate(dataset, seed=seed, repeats=n_splits)
tested = np.unique(dataset.table["subhalo_id"][dataset.rows("test")])
untested = dataset.n_galaxies - len(tested)

# %%
show(
    figures.leak(dataset.radii, errors),
    settings,
    "dataset_leak",
    caption="Root mean square error of $\\ln M$ of two simple regressors, for "
    "three ways to split, and of the mean profile. Bands: standard "
    "deviation over splits.",
    alt="Two panels of error against radius. For the nearest neighbour the "
    "error is zero when all views are trained on, intermediate when split by "
    "view, and largest when split by group, there close to that of the mean "
    "profile at small radii. For ridge regression the three lines lie "
    "close together, in the same order, well below the mean profile.",
    n=untested,
)

# %%
here = {"figure": "dataset_leak", "n": untested}
for name in (*REGRESSORS, "mean"):
    for way in WAYS:
        values = errors[way, name].mean(axis=1)
        statement = f"Error of ln M over all radii, {name}, {WAYS[way]}"
        id = f"leak-{name.split()[0]}-{way}"
        record(
            id,
            values.mean(),
            error=values.std(ddof=1),
            statement=statement,
            **here,
        )

# %% [markdown]
# Look at the left of {numref}`fig-dataset-leak`. Where every view is trained on, the nearest neighbour makes no error at all: it finds the very view that
# it is asked about. That is what a test on training galaxies measures. Split by view, it errs by {num}`leak-nearest-view:.2f±` on average
# over the radii, because it often finds the galaxy from another side. Split by group, it errs by {num}`leak-nearest-group:.2f±`, hardly better than the
# mean profile with {num}`leak-mean-group:.2f±`. All the rest was memory.
#
# The linear formula cannot remember much, and so has little to gain: {num}`leak-ridge-script:.2f±`, {num}`leak-ridge-view:.2f±` and
# {num}`leak-ridge-group:.2f±`. Split honestly, it is by far the better of the two; with the leak of the scripts, the useless one wins.
# **A leak does not merely flatter: it reverses the ranking**, in favour of whatever remembers best.
#
# A deep network lies somewhere between the two. With dropout and early stopping it remembers less, yet early stopping itself is blind when the
# validation galaxies are trained on. How much of the paper's published performance is owed to this cannot be said from outside: we know the
# script, not which version of it made the figures.
#
# The ridge regression is also a bar to clear. Whoever trains a convolutional network on these data should ask whether it beats eight rings and a
# linear formula.
#
# ## Another data set
#
# What was observed, and how, is a recipe, and the file knows its own. Another recipe makes another file: here with three fixed lines of sight,
# the same for every galaxy (inclination and position angle), and images as the SDSS would have taken them.
#
# ```python
# from dmlib.dataset.build import build
# from dmlib.dataset.read import read_dataset
# from dmlib.dataset.recipe import Recipe
#
# angles = [(30, 0), (60, 0), (85, 0)]
# path = settings.build / "fixed_views.hdf5"
# build(settings, recipe=Recipe(orientation=angles, images="sdss"), path=path)
# fixed = read_dataset(path)
# ```
#
# `orientation` may also be `"random"`, `"face-on"` or `"edge-on"`; `dust=False` leaves the dust away, `hi=HISettings(...)` takes another
# telescope, or another pressure law for the molecules. The file holds maps only. Where a full HI cube is wanted, it is made again, noise and
# all:
#
# ```python
# from dmlib.dataset.views import Observer
# from dmlib.universe import open_universe
#
# observer = Observer(
#     load.universe(settings), dataset.recipe, dataset.grid, settings.seed
# )
# cube = observer.cube(subhalo_id=dataset.table["subhalo_id"][0], view=0)
# ```
#
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# Which inputs does the linear formula live on? Run `demonstrate` with `inputs="photometry"` and `inputs="hi"`, and compare the error at each radius with that of
# all inputs, for the split by group. Where does the HI help?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# for inputs in ("all", "photometry", "hi"):
#     errors = demonstrate(dataset, seed=seed, inputs=inputs)
#     error = errors["group", "ridge"].mean(axis=0)
#     print(f"{inputs:10s}", " ".join(f"{value:.2f}" for value in error[::4]))
# ```
# The photometry alone weighs the stars, and that goes far, as the stellar mass did in {doc}`04_target_profiles`; it is worth most at large radii, where
# the halo's whole mass counts. The HI alone brings the rotation speed. In the embedded universe that is worth about as much as the stars inside some
# ten kpc, and less beyond the disc. Together they are better than either, by little. Rings are blind to the shape of a disc, so the formula cannot correct
# for the inclination; a network might.
# :::
#
# ## Summary
#
# - The data set has {num}`dataset-views` views of {num}`dataset-galaxies` galaxies: five bands and three HI maps each, from the same direction, in physical units, and
#   the target.
# - {num}`dataset-aside` galaxies were set aside, each with its reason.
# - Inputs are scaled by constants; nothing is learned from any galaxy.
# - The split is by FoF group; no galaxy and no group is on two sides.
# - A leak gives the nearest neighbour a perfect score and reverses its rank against an honest method.
#
# ## What's next
#
# The networks of the paper are trained on these views, and the rotation-curve method reads the HI cubes of the same galaxies. Those chapters are to come.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
