"""Many mass models at once, on the processes of this machine."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

from ..errors import DmlibError, GalaxyError
from ..progress import bar
from ..workers import choose_workers, end_with_parent, worker_environment
from .fit import Fit, Sampling, fit
from .massmodel import MassModel
from .priors import Priors

#: Memory that one worker may need [bytes].
MEMORY = 6e8


@dataclass(frozen=True)
class Task:
    """One fit to be made.

    Parameters
    ----------
    key : tuple
        By which the caller knows it.
    model : MassModel
    halo : str
    priors : Priors
    seed : int
    sampling : Sampling
    evidence : bool
    """

    key: tuple
    model: MassModel
    halo: str
    priors: Priors
    seed: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    evidence: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Parameters
    ----------
    key : tuple
    fit : Fit or None
    reason : str
        Why there is no fit.
    seconds : float
        Processor time of the fit.
    """

    key: tuple
    fit: Fit | None
    reason: str
    seconds: float


def run(task: Task) -> Outcome:
    """Make one fit; a galaxy that cannot be fitted is an outcome too."""
    begin = time.process_time()
    try:
        made = fit(task.model, task.halo, task.priors, seed=task.seed, sampling=task.sampling, evidence=task.evidence)
    except GalaxyError as error:
        return Outcome(task.key, None, str(error), time.process_time() - begin)
    return Outcome(task.key, made, "", time.process_time() - begin)


def fit_many(tasks: Sequence[Task], *, label: str = "mass models", workers: int | None = None) -> Iterator[Outcome]:
    """Make many fits in parallel; outcomes come as they are done.

    A fit depends on its task alone, not on how many processes there are.

    Parameters
    ----------
    tasks : sequence of Task
    label : str
        Of the progress bar.
    workers : int, optional
        Default `dmlib.workers.choose_workers`.

    Raises
    ------
    DmlibError
        When a worker was stopped.
    """
    workers = min(workers or choose_workers(MEMORY), len(tasks))
    with bar(total=len(tasks), label=label, unit="fit") as progress:
        if workers < 2:
            for task in tasks:
                yield run(task)
                progress.update()
            return
        context = multiprocessing.get_context("spawn")
        with (
            worker_environment(),
            ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool,
        ):
            try:
                for done in as_completed([pool.submit(run, task) for task in tasks]):
                    yield done.result()
                    progress.update()
            except BrokenProcessPool as error:
                raise DmlibError(
                    "a worker that fitted rotation curves was stopped: where memory is short set DMLIB_WORKERS=1, "
                    "and put what a script does under 'if __name__ == \"__main__\":'."
                ) from error
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
