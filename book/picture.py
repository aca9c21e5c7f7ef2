"""The picture of the README: three galaxies of the embedded universe, seen four ways.

Run with ``make picture`` after ``make book``; it writes ``book/_static/picture.png``, the one figure that is committed,
because a README is read before anything has run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dmlib import embedded, load
from dmlib.figures import embedded_universe as figures
from dmlib.observe.images.portraits import portrait
from dmlib.settings import Settings

SHOWN = ("spiral", "barred spiral", "disturbed")


def main() -> None:
    """Draw the picture from the universe of one profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="quick")
    settings = Settings(profile=parser.parse_args().profile)
    tree = load.universe(settings)
    chosen = embedded.examples(embedded.population(settings).subhalos)
    figure = figures.gallery({title: portrait(tree, chosen[title]) for title in SHOWN})
    target = Path(__file__).parent / "_static" / "picture.png"
    figure.savefig(target, dpi=110, metadata={"Software": None})
    print(f"wrote {target.relative_to(Path.cwd()) if target.is_relative_to(Path.cwd()) else target.name}")


if __name__ == "__main__":
    main()
