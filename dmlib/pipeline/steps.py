"""The steps of a run: data products, notebooks, the book; and what each of them depends on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import StepError
from ..products import PRODUCTS, Product
from ..settings import ENVIRONMENT, RADII_KPC, Settings, repository_root
from . import notebooks
from .engine import Step, building, identity, record_of
from .imports import closure, data_files, imports_of_source
from .places import Places

BOOK = "book"

#: Settings that notebooks take as parameters; the others are the same for all readers unless a notebook declares them.
SHARED_PARAMETERS = ("universe", "profile", "seed", "base_path")


def all_steps(settings: Settings, parameters: dict[str, Any] | None = None, *, book: bool = True) -> list[Step]:
    """Every step, in the order in which they run.

    Parameters
    ----------
    settings : Settings
    parameters : dict, optional
        Chapters' own parameters that differ from what the notebooks say, ``name`` or ``chapter.name`` -> value.
    book : bool
        With the book at the end.

    Raises
    ------
    StepError
        For a parameter that no notebook declares, or a notebook without the shared ones.
    """
    steps = [product_step(settings, product) for product in _built_products(settings)]
    chapters = [notebook_step(settings, path, parameters or {}) for path in notebooks.discover(repository_root())]
    _refuse_unknown(parameters or {})
    steps += chapters
    if book:
        steps.append(book_step(settings, [step.name for step in chapters]))
    return steps


def select(steps: list[Step], names: Iterable[str]) -> list[Step]:
    """The named steps and all that they need, in order.

    Parameters
    ----------
    steps : list of Step
    names : iterable of str
        Name of a step; a notebook's may lack its number, or be its number.

    Raises
    ------
    StepError
        For a name that is none of the steps'.
    """
    wanted = {find(steps, name).name for name in names}
    for step in reversed(steps):
        if step.name in wanted:
            wanted.update(step.needs)
    return [step for step in steps if step.name in wanted]


def find(steps: list[Step], name: str) -> Step:
    """The step of that name, see `select`."""
    for step in steps:
        number, _, rest = step.name.partition("_")
        if name in (step.name, rest) or (number.isdigit() and name == number):
            return step
    raise StepError(f"there is no step '{name}'; the steps are {', '.join(step.name for step in steps)}")


def products_for(settings: Settings, name: str) -> list[Step]:
    """A product's step after those of the products it is made from."""
    return select([product_step(settings, product) for product in _built_products(settings)], [name])


def product_step(settings: Settings, product: Product) -> Step:
    """The step that builds one product."""
    modules = _with_api(settings, closure([product.builder.split(":")[0]]))

    def act() -> list[Path]:
        module, function = product.builder.split(":")
        with building(settings, product.name):
            getattr(import_module(module), function)(settings)
        return [product.location(settings)]

    return Step(
        name=product.name,
        kind="product",
        action=act,
        needs=_products_read(settings, modules, before=product.name),
        files=(*modules.values(), *data_files(modules)),
        parameters=_settings_by_value(settings, _text(modules.values())),
        data=_universe_on_disk(settings, modules),
        lock="products",
        place=product.location(settings),
    )


def notebook_step(settings: Settings, path: Path, parameters: dict[str, Any]) -> Step:
    """The step that executes one notebook."""
    text = path.read_text(encoding="utf-8")
    try:
        modules = _with_api(settings, closure(imports_of_source(text)))
    except SyntaxError as error:
        raise StepError(f"{path.name}, line {error.lineno}, is not Python: {error.msg}") from error
    sources = text + _text(modules.values())
    values = notebook_parameters(settings, path, parameters)
    root = repository_root()

    def act() -> list[Path]:
        written = notebooks.execute(path, settings, values)
        import_module("dmlib.results").collect(settings)
        return written

    return Step(
        name=path.stem,
        kind="notebook",
        action=act,
        needs=_products_read(settings, modules),
        files=(path, *modules.values(), *data_files(modules), *_records_named(root, sources)),
        parameters=_settings_by_value(settings, sources)
        | {name: values[name] for name in values if name != "base_path"},
        data=_universe_on_disk(settings, modules) | _manifest_data(root, path),
        lock=path.stem,
    )


def book_step(settings: Settings, chapters: list[str]) -> Step:
    """The step that builds the pages."""
    root = repository_root()
    sources = [
        path
        for path in (root / "book").rglob("*")
        if path.is_file() and "_build" not in path.parts and "__pycache__" not in path.parts and path.suffix != ".ipynb"
    ]
    modules = closure(["dmlib.book"], with_infrastructure=True)
    modules = {name: path for name, path in modules.items() if not name.startswith(("dmlib.pipeline", "dmlib.cli"))}

    def act() -> list[Path]:
        import_module("dmlib.book").build(settings)
        return [root / "book" / "_build" / "html"]

    return Step(
        name=BOOK,
        kind="book",
        action=act,
        needs=tuple(chapters),
        files=(*sorted(sources), *modules.values()),
        parameters=_settings_by_value(settings, ""),
        lock=BOOK,
    )


def notebook_parameters(settings: Settings, path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Values that a notebook is executed with.

    Raises
    ------
    StepError
        When the notebook lacks a shared parameter, when a setting away from its default has no parameter, or when a
        value is of another type than the notebook's own.
    """
    declared = notebooks.declared_parameters(path)
    known = f"{path.name} knows {', '.join(declared) or 'no parameters'}"
    values: dict[str, Any] = {}
    for name in SHARED_PARAMETERS:
        if name not in declared:
            raise StepError(f"{path.name} has no parameter '{name}' in its cell tagged 'parameters'; {known}")
        values[name] = getattr(settings, name)
    for name in ("simulation", "snapshot", "physics"):
        value = getattr(settings, name)
        if name in declared:
            values[name] = value
        elif name not in ENVIRONMENT and value != Settings.model_fields[name].default:
            raise StepError(f"{path.name} has no parameter '{name}', so it cannot run with {name}={value!r}; {known}")
    for name, default in declared.items():
        value = given.get(f"{chapter_of(path)}.{name}", given.get(name, default))
        if name in values:
            continue
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        if default is not None and type(value) is not type(default):
            kind = type(default).__name__
            raise StepError(f"parameter '{name}' of {path.name} is {kind}, like {default!r}; {value!r} is not")
        values[name] = value
    return values


def chapter_of(path: Path) -> str:
    """A chapter's id in ``book/outline.yml``; where it has none, the notebook's name without its number."""
    outline = path.parents[1] / "book" / "outline.yml"
    if outline.is_file():
        from ..claims import load_outline

        for part in load_outline(outline):
            for chapter in part.chapters:
                if Path(chapter.file).name == path.stem:
                    return chapter.id
    return re.sub(r"^\d+_", "", path.stem)


def _refuse_unknown(given: dict[str, Any]) -> None:
    paths = notebooks.discover(repository_root())
    own = {path: [n for n in notebooks.declared_parameters(path) if n not in SHARED_PARAMETERS] for path in paths}
    for name in given:
        chapter, _, bare = name.rpartition(".")
        if bare in Settings.model_fields:
            raise StepError(f"'{bare}' is a setting of the whole run: give it as --{bare.replace('_', '-')}")
        among = {path: names for path, names in own.items() if not chapter or chapter_of(path) == chapter}
        if not any(bare in names for names in among.values()):
            known = "; ".join(f"{path.name} knows {', '.join(names)}" for path, names in among.items() if names)
            where = f"notebook of chapter '{chapter}'" if chapter else "notebook"
            raise StepError(f"no {where} has a parameter '{bare}'; {known or 'none has parameters of its own'}")


def _built_products(settings: Settings) -> list[Product]:
    written_here = settings.universe == "embedded" and not settings.sample
    return [p for p in PRODUCTS.values() if p.name != "universe" or written_here]


def _products_read(settings: Settings, modules: dict[str, Path], before: str | None = None) -> tuple[str, ...]:
    names = [product.name for product in _built_products(settings)]
    if before:
        names = names[: names.index(before)]
    return tuple(name for name in names if PRODUCTS[name].reader in modules)


def _settings_by_value(settings: Settings, sources: str) -> dict[str, Any]:
    """What results depend on. Of the profile's numbers only those that the sources speak of: a finer image must not
    make a new universe. Not base_path: a tree that was moved is the same tree."""
    values = settings.model_dump(exclude={"base_path", "build_root"})
    for name, size in vars(settings.sizes).items():
        if name != "name" and re.search(rf"\.{name}\b", sources):
            values[f"profile.{name}"] = size
    if "RADII_KPC" in sources:
        digest = hashlib.sha256(RADII_KPC.tobytes()).hexdigest()[:8]
        values["radii"] = f"{len(RADII_KPC)} from {RADII_KPC[0]:g} to {RADII_KPC[-1]:g} kpc ({digest})"
    return values


def _with_api(settings: Settings, modules: dict[str, Path]) -> dict[str, Path]:
    """The modules, with those that speak the web API where galaxies come through it."""
    if settings.universe != "api" or PRODUCTS["universe"].reader not in modules:
        return modules
    return dict(sorted((modules | closure(["dmlib.universe.api"])).items()))


def _text(paths: Iterable[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def _universe_on_disk(settings: Settings, modules: dict[str, Path]) -> dict[str, str]:
    """Fingerprint of a TNG tree: names, sizes and times of its files, for contents would take hours. Behind the web API
    it is the server's name: what it serves does not change, and `status` asks no network."""
    if PRODUCTS["universe"].reader not in modules:
        return {}
    if settings.universe == "embedded":
        if not settings.sample:
            return {}  # a product, and so a step of its own
        return {"the whole universe": identity(record_of("universe", Places.of(settings.whole)))}
    if settings.universe == "api":
        from ..manifest.download import tng_url

        return {f"{settings.simulation} through the web API": urlsplit(tng_url()).netloc}
    base = Path(settings.base_path)
    folders = [f"groups_{settings.snapshot:03d}", f"snapdir_{settings.snapshot:03d}"]
    listing = []
    for folder in (*(base / name for name in folders), base.parent / "postprocessing" / "offsets"):
        for path in sorted(folder.glob("*.hdf5")):
            stat = path.stat()
            listing.append(f"{folder.name}/{path.name} {stat.st_size} {stat.st_mtime_ns}")
    return {f"{settings.simulation} on disk": hashlib.sha256("\n".join(listing).encode()).hexdigest()}


def _records_named(root: Path, sources: str) -> list[Path]:
    """Committed records (``records/*.json``) whose name occurs in the notebook or in a module that it uses."""
    return [path for path in sorted((root / "records").glob("*.json")) if path.stem in sources]


def _manifest_data(root: Path, path: Path) -> dict[str, str]:
    """State of the manifest's entries for this chapter: what the entry says, and which content is here."""
    if not (root / "data_manifest.yaml").is_file():
        return {}
    from ..manifest import available, load_manifest

    states = {}
    for entry in load_manifest(root / "data_manifest.yaml").used_by(chapter_of(path)):
        if entry.access == "generated":
            continue  # a product, with a step of its own
        here = available(entry.name)
        states[entry.name] = here.sha256 or ("damaged" if here.state == "damaged" else "absent")
        states[f"{entry.name} in data_manifest.yaml"] = hashlib.sha256(entry.model_dump_json().encode()).hexdigest()
    return states
