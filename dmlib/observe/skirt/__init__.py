"""Runs of SKIRT of one's own: radiative transfer of starlight through dust, for any galaxy and any line of sight.

- `settings`: the recipe, and where each of its numbers is from.
- `columns`: SKIRT's two file formats, text columns and stored tables.
- `population`: spectra of stellar populations, and band curves, for a run without SKIRT's resource packs; `dustmix`:
  the optical properties of dust for the same.
- `export`: one galaxy as SKIRT's input files; `skifile`: the parameter file that goes with them.
- `run`: the executable; `read`: its frames as images; `source`: all of it as a source of images.

What is written was checked against the source of SKIRT 9 (github.com/SKIRT/SKIRT9); tests/skirt_schema.py cites it
item by item.
"""
