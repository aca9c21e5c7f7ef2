"""The data set: every view of every galaxy, its inputs and its target, in one file split by galaxy.

- `recipe`: what is observed, and how.
- `split`: which galaxies train, validate and test.
- `views`: one galaxy along its lines of sight.
- `shards`: blocks of galaxies on disk, and the one file made of them.
- `build`: all of it, in parallel and resumable.
- `read`: the way in for networks and rotation curves.
- `leak`: what a split by view would pretend.
"""
