"""The command ``mocktng``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import mocktng

from .galaxies import FEATURES, PHYSICS
from .layout import program_version


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        Exit code: 0, or 1 after an error, which is one sentence on stderr.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (mocktng.MockError, OSError) as error:
        print(f"mocktng: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 0 if options.run is _serve else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mocktng",
        description="A small universe in the format of the IllustrisTNG data release, and a server of its web API.",
    )
    parser.add_argument("--version", action="version", version=program_version())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    write = commands.add_parser(
        "write", help="write a universe", description="Write a universe where it is missing, damaged or different."
    )
    write.set_defaults(run=_write)
    write.add_argument("folder", metavar="DIR", type=Path)
    write.add_argument(
        "--galaxies", dest="n_galaxies", type=int, default=40, help="galaxies of 1e10 to 1e12 Msun that form stars (40)"
    )
    write.add_argument("--seed", type=int, default=1, help="seed of all random numbers (1)")
    write.add_argument("--physics", choices=tuple(PHYSICS), default="fiducial", help="version of the galaxy physics")
    write.add_argument("--without", default="", metavar="FEATURES", help=f"leave out, by commas: {', '.join(FEATURES)}")
    write.add_argument(
        "--particle-mass",
        type=float,
        nargs=2,
        default=(mocktng.M_DM, mocktng.M_BARYON),
        metavar=("DM", "BARYONS"),
        help=f"particle masses in Msun ({mocktng.M_DM:g} {mocktng.M_BARYON:g}; TNG100-1 has 7.46e6 1.39e6)",
    )
    write.add_argument("--name", default="mocktng", help="name of the simulation (mocktng)")
    write.add_argument("--snapshot", type=int, default=99, help="number of the snapshot (99)")
    write.add_argument("--workers", type=int, help="processes; by default as many as cores and memory allow")
    write.add_argument("--plan", action="store_true", help="write nothing; print content and need")

    describe = commands.add_parser("describe", help="describe a written universe")
    describe.set_defaults(run=lambda options: _print(mocktng.describe(options.folder)))
    describe.add_argument("folder", metavar="DIR", type=Path)

    serve = commands.add_parser(
        "serve",
        help="serve a tree as the TNG web API does",
        description="Serve a universe, or any TNG tree, as the TNG web API does, with failures on demand.",
    )
    serve.set_defaults(run=_serve)
    serve.add_argument("folder", metavar="DIR", type=Path, help="a universe, or the output folder of a TNG tree")
    serve.add_argument("--simulation", help="a further name of the simulation, for example TNG100-1")
    serve.add_argument("--snapshot", type=int, default=99)
    serve.add_argument("--port", type=int, default=8099, help="0: any free one (8099)")
    serve.add_argument("--host", default="127.0.0.1", help="where it listens (this machine only)")
    serve.add_argument("--key", help="API key that clients must send; default $MOCKTNG_KEY, else a new one")
    serve.add_argument("--fail-every", type=int, default=0, metavar="N", help="every N-th request fails (0: none)")
    serve.add_argument(
        "--fail-as",
        default="error",
        metavar="KINDS",
        help=f"how, in turn, separated by commas: {', '.join(mocktng.FAULTS)}",
    )
    serve.add_argument("--fail-only", default="", metavar="TEXT", help="only requests with this text in their path")
    return parser


def _write(options: argparse.Namespace) -> None:
    choices = {name: getattr(options, name) for name in ("n_galaxies", "seed", "physics", "name", "snapshot")}
    choices["without"] = tuple(filter(None, options.without.split(",")))
    choices["m_dm"], choices["m_baryon"] = options.particle_mass
    if options.plan:
        _print(mocktng.estimate(**choices))
        return
    if options.workers is not None and options.workers < 1:
        raise mocktng.MockError(f"--workers is {options.workers}: give 1 or more.")
    mocktng.write(options.folder, **choices, workers=options.workers, progress=_progress)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    _print(mocktng.describe(options.folder) | {"folder": str(options.folder)})


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total} blocks", end="", file=sys.stderr, flush=True)


def _serve(options: argparse.Namespace) -> None:
    try:
        faults = mocktng.FaultInjection(options.fail_every, tuple(options.fail_as.split(",")), only=options.fail_only)
    except ValueError as error:
        raise mocktng.MockError(f"--fail-as: {error}.") from error
    mocktng.serve(
        options.folder,
        simulation=options.simulation,
        snapshot=options.snapshot,
        key=options.key or os.environ.get("MOCKTNG_KEY"),
        host=options.host,
        port=options.port,
        faults=faults,
        log=lambda line: print(line, file=sys.stderr, flush=True),
    )


def _print(facts: dict[str, Any]) -> None:
    width = max(map(len, facts))
    for name, value in facts.items():
        shown = f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else value
        print(f"{name:{width}}  {shown}")


if __name__ == "__main__":
    sys.exit(main())
