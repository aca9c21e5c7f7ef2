"""The commands that run the book: ``dmlib run``, ``status``, ``book``, ``notebooks`` and ``reference``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from ..environment import import_jsonschema
from ..errors import DmlibError
from .options import COMMON, BookOption, ParametersOption, parameters_of, print_table, shown, tell, with_settings

if TYPE_CHECKING:
    from ..settings import Settings


@with_settings(*COMMON)
def run(
    settings: Settings,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="STEP", help="Only this step and what it needs. May be repeated."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also what is up to date: everything, or the steps named by --only.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="After a failure run what does not need it, and report all failures.")
    ] = False,
    parameter: ParametersOption = None,
    book: BookOption = True,
) -> None:
    """Make what is missing or out of date: data products, notebooks, the book.

    For example: dmlib run --profile smoke, or dmlib run --only 03 --force
    """
    from ..pipeline import run as runs

    outcomes = runs.run(
        settings,
        parameters=parameters_of(parameter),
        only=only or (),
        force=force,
        keep_going=keep_going,
        book=book,
        tell=tell,
    )
    ran = sum(outcome.state == "ran" for outcome in outcomes)
    tell(f"{ran} of {len(outcomes)} steps ran; outputs are in {shown(settings.build)}")
    if any(outcome.step.kind == "book" for outcome in outcomes):
        tell(f"the book is {shown(settings.pages_dir / 'index.html')}")


@with_settings(*COMMON)
def status(settings: Settings, parameter: ParametersOption = None, book: BookOption = True) -> None:
    """Say what a run would do, and why. Runs nothing.

    For example: dmlib status --profile smoke
    """
    from ..pipeline import run as runs

    rows = []
    for found in runs.status(settings, parameters_of(parameter), book=book):
        record = found.record
        made = f"made {record['finished'][:16].replace('T', ' ')} UTC in {record['seconds']:.1f} s" if record else ""
        state = "up to date" if found.up_to_date else "would run"
        rows.append((found.step.name, state, "; ".join(found.reasons) or made))
    print_table(("step", "state", "why"), rows)


@with_settings(*COMMON)
def book(settings: Settings) -> None:
    """Build the pages from the notebooks as they were executed.

    For example: dmlib book --profile smoke
    """
    from ..pipeline import run as runs

    runs.build_book(settings, tell=tell)


def notebooks() -> None:
    """Write or renew the .ipynb twin of each notebook; JupyterLab keeps the pair in step.

    For example: dmlib notebooks, then jupyter lab notebooks
    """
    import_jsonschema()
    import jupytext.cli

    from ..pipeline.notebooks import discover
    from ..settings import repository_root

    paths = discover(repository_root())
    if not paths:
        raise DmlibError("there are no notebooks/NN_name.py here: run this inside the checkout")
    if not os.access(paths[0].parent, os.W_OK):
        tell(f"{paths[0].parent} cannot be written: its notebooks open in JupyterLab all the same, and keep no changes")
        return
    for path in paths:
        jupytext.cli.jupytext(["--quiet", "--sync", str(path)])
        tell(f"{path.stem}.ipynb")


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
        typer.Option("--verify", help="Train recorded members again, one of each --only or the cheapest, and compare."),
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
    from ..networks import reference_training as trainings
    from ..networks.reference import write_record

    if record and (verify or only):
        raise DmlibError("--record is of all ensembles: give it without --verify and --only")
    if plan and verify:
        raise DmlibError("--plan trains nothing and --verify trains: give one of them")
    if partial and not record:
        raise DmlibError("--partial goes with --record")
    entries = trainings.reference_plan(only or ())
    if plan and not settings.dataset_path.is_file():
        raise DmlibError(f"--plan needs the data set: dmlib run --profile {settings.profile} --only dataset makes it.")
    dataset = load.dataset(settings)
    if verify:
        names = [entry.name for entry in entries] if only else [""]
        checked = []
        for name in names:
            checked.append(trainings.verify(settings, name))
            typer.echo(str(checked[-1]))
        raise typer.Exit(0 if all(one.passed for one in checked) else 1)
    jobs = trainings.reference_jobs(settings, dataset, entries)
    if record:
        place = write_record(settings, jobs, partial=partial)
        tell(f"written: {shown(place)}")
    elif plan:
        typer.echo(str(trainings.left(settings, jobs)))
    else:
        trainings.train_reference(settings, entries, workers=workers, tell=tell)
