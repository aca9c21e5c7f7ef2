"""Images of galaxies: published SKIRT images, the light of star particles, and what a survey makes of it.

- `base`: the interface of all sources of images.
- `bands`: SDSS bands; magnitudes, luminosities and fluxes.
- `light`: starlight from the particles; `project`: their kernels on pixels; `dust`: what the gas in front takes.
- `published`: the SKIRT images of the TNG data release; `resample`: one pixel grid onto another.
- `realism`: point-spread function, pixels and sky of the SDSS.
- `normalise`: images as a network reads them.
- `colours`, `rings`: what is measured on galaxies and images; `record`: what was measured once on real data.
"""
