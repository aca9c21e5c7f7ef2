"""Runs of SKIRT of one's own: radiative transfer of starlight through dust, for any galaxy and any line of sight.

- `settings`: the recipe, and where each of its numbers is from.
- `columns`: SKIRT's two file formats, text columns and stored tables.
- `population`: spectra of stellar populations, and band curves, for a run without SKIRT's resource packs; `dustmix`:
  the optical properties of dust for the same.
- `export`: one galaxy as SKIRT's input files; `skifile`: the parameter file that goes with them.
- `run`: the executable; `read`: its frames as images; `source`: all of it as a source of images; `compare`: beside
  particle light.

**What has been verified.** Names, units, columns and tables were compared with the source of SKIRT 9
(github.com/SKIRT/SKIRT9; tests/skirt_schema.py cites it item by item), and a stand-in that follows the formulas of that
source, tests/fake_skirt.py, draws the images that particle light draws. **What has not:** no file written here has gone
through SKIRT itself, which could not be had where this was written. tests/test_skirt_run.py does that where it finds an
executable.
"""
