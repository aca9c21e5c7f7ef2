"""The data set: every view of every galaxy, its inputs and its target, in one file split by galaxy.

- `views`: what is observed, and one galaxy along its lines of sight.
- `split`: which galaxies are for training, validation and test.
- `build`: the file, built in parallel and resumable.
- `read`: access for networks and rotation curves.
- `leak`: the apparent performance of a split by view.
"""
