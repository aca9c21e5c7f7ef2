"""Your own SKIRT runs: radiative transfer of starlight through dust, for any galaxy and any line of sight.

- `settings`: the settings of a run and where each number is from; the parameter file.
- `tables`: SKIRT's file formats; spectra, band curves and dust for a run without SKIRT's resource packs.
- `export`: one galaxy as SKIRT's input files.
- `source`: the executable, and its frames as a source of images.
- `comparison`: SKIRT and particle light of one galaxy side by side.

**What has been verified.** SKIRT 9.0, built from its source of July 2026, accepts every kind of parameter file, and
draws the self-contained ones; records/skirt_own_runs.json has what it gave. tests/observe/test_skirt_run.py repeats
this where it finds an executable. Elsewhere a schema read from SKIRT's source (tests/skirt_schema.py) and a stand-in
that follows its formulas (tests/fake_skirt.py) refuse what SKIRT refuses. **What has not:** a run with SKIRT's resource
packs, which were not available; such files get as far as looking for the packs.
"""
