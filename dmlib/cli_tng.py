"""The commands that speak the TNG web API: ``dmlib fetch --universe api`` and ``dmlib serve-tng``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .cli_options import ProfileChoice, ProfileOption, SeedOption, SnapshotOption
from .errors import DmlibError

if TYPE_CHECKING:
    from .settings import Settings


def fetch_universe(
    settings: Settings, *, plan: bool, verify: bool, pictures: Literal["none", "each", "archive"]
) -> None:
    """Estimate a download, check what is here, or download everything that a run reads.

    Raises
    ------
    DmlibError
    """
    from . import download_plan
    from .universe.api.cache import readable

    if verify:
        whole, removed = download_plan.verify(settings)
        typer.echo(f"{whole} files are undamaged, {len(removed)} were damaged and are removed")
        for name in removed:
            typer.echo(f"  {name}")
        return
    typer.echo(str(download_plan.plan(settings, pictures)))
    if plan:
        return
    universe = download_plan.fetch_all(settings, pictures)
    _tell(f"everything is here: {len(universe.cache)} files, {readable(universe.cache.size)}")


def serve(
    output: Annotated[
        Path | None, typer.Argument(help="A TNG tree's output folder; the embedded universe of --profile if none.")
    ] = None,
    profile: ProfileOption = ProfileChoice.smoke,
    seed: SeedOption = 1,
    simulation: Annotated[str | None, typer.Option("--simulation", help="A name at which it answers too.")] = None,
    snapshot: SnapshotOption = 99,
    port: Annotated[int, typer.Option("--port", help="Port; 0 is any free one.")] = 8099,
    host: Annotated[str, typer.Option("--host", help="Where it listens; leave it at this machine's loopback.")] = (
        "127.0.0.1"
    ),
    key: Annotated[
        str, typer.Option("--key", envvar="DMLIB_SERVE_KEY", help="Key that clients must send; a fresh one if none.")
    ] = "",
    fail_every: Annotated[int, typer.Option("--fail-every", help="Let every n-th request go wrong; 0: none.")] = 0,
    fail_as: Annotated[
        str, typer.Option("--fail-as", help="How, in turn: error, busy, gateway, cut, drop, page, slow.")
    ] = "error",
) -> None:
    """Serve a TNG tree as the TNG web API does, on this machine: for teaching and trying without an account.

    For example: dmlib serve-tng --profile smoke --fail-every 5 --fail-as error,cut,busy
    """
    from .settings import Settings
    from .universe.server import Mischief, TngServer

    if output is None:
        from .pipeline.steps import ensure

        output = ensure(Settings(profile=profile.value, seed=seed, sample=0), "universe") / "output"
    try:
        mischief = Mischief(fail_every, tuple(fail_as.split(",")))
    except ValueError as error:
        raise DmlibError(f"--fail-as: {error}.") from error
    server = TngServer(
        output,
        simulation=simulation,
        snapshot=snapshot,
        key=key or None,
        host=host,
        port=port,
        mischief=mischief,
        log=_tell,
    )
    typer.echo(f"serving '{server.name}' at {server.url}; in another terminal:")
    typer.echo(f"  export DMLIB_TNG_URL={server.url} TNG_API_KEY={server.key if not key else '<the key you gave>'}")
    typer.echo(f"  dmlib run --universe api --simulation {server.name} --profile {profile.value}")
    typer.echo("Ctrl-C ends it.")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        _tell("ended")


def _tell(line: str) -> None:
    typer.echo(line, err=True)
