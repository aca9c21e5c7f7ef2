"""The command ``dmlib reference``: the reference trainings and their record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DmlibError
from .options import COMMON, shown, tell, with_settings

if TYPE_CHECKING:
    from ..settings import Settings


@with_settings(*COMMON)
def reference(
    settings: Settings,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Only this ensemble (C/all), or all of C. May be repeated."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default one for each core, or one with an accelerator.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Train nothing; say what is left.")] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Train a recorded member again, of --only or the cheapest, and compare."),
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Train nothing; write records/reference from what is trained.")
    ] = False,
    partial: Annotated[bool, typer.Option("--partial", help="With --record: also when trainings are missing.")] = False,
) -> None:
    """Train every architecture with the paper's schedule: hours. Safe to stop and continue.

    For example: dmlib reference, or dmlib reference --only C, or dmlib reference --record
    """
    from .. import load
    from ..networks import record as records
    from ..networks import reference as trainings

    if record and (verify or only):
        raise DmlibError("--record is of all ensembles: give it without --verify and --only")
    if partial and not record:
        raise DmlibError("--partial goes with --record")
    entries = trainings.reference_plan(only or ())
    dataset = load.dataset(settings)
    if verify:
        names = [entry.name for entry in entries] if only else [""]
        checked = trainings.verify(settings, names[0])
        typer.echo(str(checked))
        raise typer.Exit(0 if checked.passed else 1)
    jobs = trainings.reference_jobs(settings, dataset, entries)
    if record:
        place = records.write_record(settings, jobs, partial=partial)
        tell(f"written: {shown(place)}")
    elif plan:
        typer.echo(str(trainings.left(settings, jobs)))
    else:
        trainings.train_reference(settings, entries, workers=workers, tell=tell)
