"""Executing one notebook: jupytext reads the ``.py``, papermill runs it, the executed copy is put in place whole."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..environment import import_jsonschema, of_children
from ..errors import StepError
from ..files import UNFINISHED, WRITTEN, atomic_path
from ..manifest.download import known_keys
from ..settings import ENVIRONMENT, Settings
from ..workers import KEPT_MEMORY, ONE_THREAD, quiet, single_thread
from .ledger import without_folders

#: Attempts to start a kernel; on a busy machine it may be slow to answer, or lose a port to another.
STARTS = 3
START_TIMEOUT_S = 180

#: astropy names a table shown in a notebook after its address in memory.
_TABLE_ID = re.compile(r"\btable\d{9,}\b")

#: What a warning names as the file of a cell: it holds the number of the kernel's process.
_CELL_FILE = re.compile(r"[^\s'\"]*ipykernel_\d+[/\\]\d+\.py")

_CELL = re.compile(r"^# %%(?P<header>.*)$", re.MULTILINE)


def discover(root: Path) -> list[Path]:
    """Notebooks of the book, ``notebooks/NN_name.py``, in order."""
    return sorted(path for path in (root / "notebooks").glob("*.py") if re.match(r"\d\d_", path.name))


def declared_parameters(path: Path) -> dict[str, Any]:
    """Names and values in a notebook's cell tagged ``parameters``.

    Raises
    ------
    StepError
        When there is no such cell, or it holds anything but plain literals.
    """
    return dict(_declared(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=64)
def _declared(path: Path, changed: int) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    marks = list(_CELL.finditer(text))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        if not re.search(r"""tags=\[[^\]]*["']parameters["']""", mark["header"]):
            continue
        cell = text[mark.end() : following.start() if following else None]
        try:
            return {
                ast.unparse(statement.targets[0]): ast.literal_eval(statement.value)
                for statement in ast.parse(cell).body
                if isinstance(statement, ast.Assign)
            }
        except (ValueError, SyntaxError) as error:
            raise StepError(f"the parameters cell of {path.name} may hold plain literals only, one a line") from error
    raise StepError(f"{path.name} has no cell tagged 'parameters': begin it with '# %% tags=[\"parameters\"]'")


def execute(path: Path, settings: Settings, parameters: dict[str, Any]) -> list[Path]:
    """Execute a notebook with papermill.

    The executed copy is ``notebooks/<name>.ipynb`` in the build folder. When a cell fails, the copy with the error is
    ``notebooks/<name>.failed.ipynb`` instead, and an earlier executed copy is removed.

    Parameters
    ----------
    path : Path
        The notebook, jupytext py:percent.
    settings : Settings
    parameters : dict
        Value of each parameter.

    Returns
    -------
    list of Path
        The executed copy, and every figure and result that it wrote.

    Raises
    ------
    StepError
        One sentence that names the notebook, the cell, the error and the executed copy.
    """
    import_jsonschema()
    import nbformat

    done = settings.notebooks_dir / f"{path.stem}.ipynb"
    failed = settings.notebooks_dir / f"{path.stem}.failed.ipynb"
    running = settings.notebooks_dir / f".running-{path.stem}.ipynb"
    written = running.with_suffix(".written")
    settings.notebooks_dir.mkdir(parents=True, exist_ok=True)
    fault, ended = None, False
    UNFINISHED.update((running, written))
    written.write_text("", encoding="utf-8")
    try:
        _run(_read(path), running, path.parent, settings, parameters, written)
        ended = True
    except _NotebookFault as error:
        fault = error
    finally:
        # However it ended, an interruption included: what did not come to its end is not taken for an executed copy.
        if running.is_file():
            executed = _tidy(nbformat.read(running, as_version=4), path, settings, parameters)
            with atomic_path(done if ended else failed) as temporary:
                nbformat.write(executed, temporary)
            running.unlink()
        files = {Path(line) for line in written.read_text(encoding="utf-8").splitlines()}
        written.unlink()
        UNFINISHED.difference_update((running, written))
        if not ended:
            done.unlink(missing_ok=True)
    if fault is not None:
        copy = f"{settings.build.parent.name}/{settings.build.name}/notebooks/{failed.name}"
        raise StepError(f"notebook {path.stem} failed {fault}; the executed copy is {copy}")
    failed.unlink(missing_ok=True)
    folders = (settings.figures_dir, settings.build / "results")
    ours = [folder / item.name for folder in folders for item in sorted(files) if item.parent == folder.resolve()]
    return [done, *(item for item in ours if item.is_file())]


class _NotebookFault(Exception):
    """What went wrong, as the middle part of a sentence."""


def _read(path: Path):
    import_jsonschema()
    import jupytext

    notebook = jupytext.read(path)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def _run(notebook, output: Path, folder: Path, settings: Settings, parameters: dict[str, Any], written: Path) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.engines import papermill_engines
    from papermill.exceptions import PapermillExecutionError

    papermill_engines.register("saved-once", _saved_once())
    fault: Exception
    for attempt in range(1, STARTS + 1):
        try:
            papermill.execute_notebook(
                notebook,
                _literal(output),
                parameters=parameters,
                engine_name="saved-once",
                kernel_name="python3",
                kernel_manager_class=_kernel_manager(settings, written),
                progress_bar=False if quiet() else {"desc": output.stem.removeprefix(".running-"), "leave": False},
                start_timeout=START_TIMEOUT_S,
                cwd=folder,
            )
            return
        except PapermillExecutionError as error:
            message = next(iter(str(error.evalue).strip().splitlines()), "")
            raise _NotebookFault(
                f"in cell [{error.exec_count}]: {error.ename}: {_short(message).rstrip('.')}"
            ) from error
        except DeadKernelError as error:
            if _begun(output):
                raise _NotebookFault(
                    f"in cell [{_begun(output)}]: its process died, most often for lack of memory (DMLIB_WORKERS=1 "
                    "or a smaller --profile needs less)"
                ) from error
            fault = error
        except (RuntimeError, OSError) as error:
            if _begun(output):
                raise
            fault = error
        if attempt == STARTS:
            raise _NotebookFault(
                f"before its first cell: no kernel started in {STARTS} attempts ({_short(str(fault))})"
            )


def _literal(path: Path) -> str:
    """A path as papermill takes it, which reads braces as names of parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _saved_once() -> type:
    """Papermill's engine without its saves before and after each cell, which write all pictures so far each time.

    The copy is saved when the notebook starts and when it ends, in whichever way.
    """
    from papermill.engines import NBClientEngine

    class SavedOnce(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
            output, nb_man.output_path = nb_man.output_path, None
            try:
                super().execute_managed_notebook(nb_man, kernel_name, **options)
            finally:
                nb_man.output_path = output

    return SavedOnce


def _kernel_manager(settings: Settings, written: Path) -> type:
    """A kernel manager whose ``python3`` is the interpreter that runs now, whatever kernels the user has installed."""
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    environment = {"DMLIB_QUIET": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1", "PYTHONHASHSEED": "0"}
    # One thread, as in any other worker: other kernels run beside it, and sums must not depend on their number.
    environment |= {**ONE_THREAD, **KEPT_MEMORY, **single_thread(), WRITTEN: str(written.resolve())}
    environment |= {variable: settings.environment_value(name) for name, variable in ENVIRONMENT.items()}
    if settings.build_root:
        environment["DMLIB_BUILD"] = settings.build_root

    class ThisPython(AsyncKernelManager):
        async def start_kernel(self, **options: Any) -> None:
            await super().start_kernel(**options | {"env": of_children()})
            UNFINISHED.add(Path(self.connection_file))  # a process that is ended from outside does not clear it away

        def cleanup_connection_file(self) -> None:
            super().cleanup_connection_file()
            UNFINISHED.discard(Path(self.connection_file))

        @property
        def kernel_spec(self) -> KernelSpec:
            # What the kernel says of itself, on Ctrl-C above all, would stand between the lines of the run. Errors of
            # cells do not come this way.
            # An interrupted kernel may end within a callback, and would log a traceback of its event loop.
            quiet = "--Application.logging_config={'loggers': {'tornado': {'level': 'CRITICAL'}}}"
            return KernelSpec(**get_kernel_dict(extra_arguments=["--log-level=50", quiet]) | {"env": environment})

    return ThisPython


def _begun(output: Path) -> int:
    """How many code cells began to run, by papermill's running copy."""
    import nbformat

    if not output.is_file():
        return 0
    code = [cell for cell in nbformat.read(output, as_version=4).cells if cell.cell_type == "code"]
    return sum(bool(cell.metadata.get("papermill", {}).get("start_time")) for cell in code)


def _tidy(notebook, path: Path, settings: Settings, parameters: dict[str, Any]):
    """Leave what the source and its outputs say, so that equal runs give equal files, wherever the checkout lies."""
    notebook.metadata["papermill"] = {
        "input_path": f"{path.parent.name}/{path.name}",
        "parameters": {name: value for name, value in parameters.items() if name != "base_path"},
    }
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
    tables: dict[str, str] = {}
    secrets = known_keys()

    def change(text: str) -> str:
        text = _TABLE_ID.sub(lambda id: tables.setdefault(id[0], f"table-{len(tables)}"), text)
        if "ipykernel_" in text:  # not in a picture, on whose one long word the search would take minutes
            text = _CELL_FILE.sub("<cell>", text)
        text = without_folders(text, settings)
        # An error message may have quoted it.
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    _rewrite(notebook, change)
    return notebook


def _rewrite(node: Any, change: Callable[[str], str]) -> None:
    """Apply a change to every text of a notebook."""
    for name, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, str):
            node[name] = change(value)
        elif isinstance(value, dict | list):
            _rewrite(value, change)


def _short(text: str, most: int = 300) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
