"""Your own SKIRT runs: radiative transfer of starlight through dust, for any galaxy and any line of sight.

- `settings`: the settings of a run and where each number is from; the parameter file.
- `tables`: SKIRT's file formats; spectra, band curves and dust for a run without SKIRT's resource packs.
- `export`: one galaxy as SKIRT's input files.
- `source`: the executable, and its frames as a source of images.
- `comparison`: SKIRT and particle light of one galaxy side by side.

**What has been verified.** Names, units, columns and tables were compared with the source of SKIRT 9
(github.com/SKIRT/SKIRT9; tests/skirt_schema.py cites it item by item), and a stand-in that follows the formulas
of that source, tests/fake_skirt.py, draws the images that particle light draws. **What has not:** no file
written here has been run through SKIRT itself, which was not available where this was written.
tests/observe/test_skirt_run.py does so where it finds an executable.
"""
