"""What the book takes from elsewhere: the form of `data_manifest.yaml`, and reading it.

`dmlib.manifest.fetch` gets the files, with the requests of `dmlib.manifest.download`. What the data mean is up to the
modules that read them.

>>> from dmlib.manifest.fetch import available, fetch
>>> folder = fetch("sparc-rotmod")                          # doctest: +SKIP
>>> available("tng100-skirt-image", subhalo_id=6).state     # doctest: +SKIP
'absent'
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path, PurePosixPath
from string import Formatter
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from ..errors import FetchError, ManifestError
from ..settings import repository_root
from .download import is_loopback

#: How an entry is obtained: by anyone; with the key of a TNG account; written here; only from a folder, the mirror.
Access = Literal["open", "tng-key", "generated", "mirror"]

#: Fields without which an entry of each kind of access is not complete.
_NEEDS: dict[Access, tuple[str, ...]] = {
    "open": ("urls", "file", "format", "evidence"),
    "tng-key": ("urls", "file", "format", "evidence"),
    "generated": ("generator", "version"),
    "mirror": ("mirror", "tree"),
}

#: What the content must begin with, see `dmlib.manifest.fetch.MARKS`. A "tree" is a folder.
Format = Literal["zip", "fits", "hdf5", "tar", "text", "tree"]


def _inside(path: str) -> str:
    """Refuse a path that would leave the folder it is relative to."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\\" in path:
        raise ValueError(f"'{path}' must be a relative path inside its folder, with forward slashes")
    return path


def _secure(url: str) -> str:
    """Refuse an address to which a key would travel in the open."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError(f"'{url}' must begin with https://, because a key may travel with the request")
    return url


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
BibKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
RelativePath = Annotated[str, AfterValidator(_inside)]
Url = Annotated[str, AfterValidator(_secure)]
Count = Annotated[int, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Parameter(_Strict):
    """A blank in an entry's URL, for example a subhalo's id.

    Parameters
    ----------
    meaning : str
        What it is, with its unit if it has one.
    pattern : str
        Regular expression that the whole value must match, because values become part of a URL and a file name.
    example : str
    """

    meaning: str
    pattern: str
    example: str

    @model_validator(mode="after")
    def _example_fits(self) -> Parameter:
        if not re.fullmatch(self.pattern, self.example):
            raise ValueError(f"the example '{self.example}' does not match the pattern '{self.pattern}'")
        return self


class Tree(_Strict):
    """A folder of files, and the checksum of all of them together.

    Parameters
    ----------
    path : str
        Where the folder lies in the cache.
    members : str
        Glob pattern of its files.
    count : int
        How many there are.
    sha256 : str
        Checksum of the list ``<sha256>  <name>`` of the files, sorted by name, one a line.
    """

    path: RelativePath
    members: str
    count: Count
    sha256: Sha256


class Entry(_Strict):
    """One data set that comes from elsewhere, or is generated here.

    Parameters
    ----------
    name : str
        Its key in the manifest.
    title, description : str
    access : {"open", "tng-key", "generated", "mirror"}
    source : str
        Page that describes it, or the module that writes it.
    urls : tuple of str
        Where it is downloaded from, tried in order; ``{blanks}`` are filled from `parameters`.
    verified : bool
        Whether the URL is known to give this content; `evidence` says how it is known, or why it is not.
    file : str
        Path in the cache, with the same blanks.
    format : str
        What the content must be.
    size : int or None
        Bytes.
    sha256 : str or None
        Checksum of the file; None with the reason in `no_checksum`.
    tree : Tree, optional
        The folder that the archive unpacks to, or that a mirror holds.
    mirror : str, optional
        Path inside the folder named by ``DMLIB_MIRROR``, with the same blanks.
    licence : str
    citation : tuple of str
        BibTeX keys in book/references.bib.
    chapters : tuple of str
        Chapters that read it, by their id in book/outline.yml.
    records : tuple of str
        Committed records (records/<name>.json) that were measured on it.
    generator, version : str, optional
        For ``access: generated``: the function that writes it, and the version of dmlib.
    """

    name: Name
    title: str
    description: str
    access: Access
    source: str
    urls: tuple[Url, ...] = ()
    verified: bool = False
    evidence: str = ""
    parameters: dict[str, Parameter] = {}
    file: RelativePath | None = None
    format: Format | None = None
    size: Count | None = None
    sha256: Sha256 | None = None
    no_checksum: str = ""
    tree: Tree | None = None
    mirror: RelativePath | None = None
    licence: str
    citation: Annotated[tuple[BibKey, ...], Field(min_length=1)]
    chapters: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    generator: str | None = None
    version: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Entry:
        templates = (*self.urls, self.file or "", self.mirror or "")
        blanks = {field for text in templates for _, field, _, _ in Formatter().parse(text) if field is not None}
        if not all(getattr(self, name) for name in _NEEDS[self.access]):
            raise ValueError(f"access '{self.access}' needs {', '.join(_NEEDS[self.access])}")
        if self.urls and "urls" not in _NEEDS[self.access]:
            raise ValueError(f"access '{self.access}' has no urls")
        if self.urls and not (self.sha256 or self.no_checksum):
            raise ValueError("a missing sha256 needs its reason in no_checksum")
        if self.tree and self.format not in ("zip", "tree"):
            raise ValueError("a tree is what a zip archive unpacks to, or a folder (format 'tree')")
        if self.parameters and (self.tree or self.sha256):
            raise ValueError("an entry with parameters describes many files and can have neither tree nor sha256")
        if unknown := sorted(blanks - self.parameters.keys()):
            raise ValueError(f"urls, file or mirror have blanks {unknown}, which are not in parameters")
        return self

    def fill(self, template: str, parameters: dict[str, object]) -> str:
        """Put values into the blanks of a URL, a cache path or a mirror path.

        Parameters
        ----------
        template : str
        parameters : dict
            A value for each of the entry's parameters.

        Returns
        -------
        str

        Raises
        ------
        FetchError
            When a value is missing, malformed, or unknown.
        """
        for unknown in parameters.keys() - self.parameters.keys():
            known = ", ".join(self.parameters) or "none"
            raise FetchError(f"{self.name} takes no parameter '{unknown}' (it takes: {known}).")
        values = {}
        for key, parameter in self.parameters.items():
            if key not in parameters:
                raise FetchError(f"{self.name} needs {key} ({parameter.meaning}), for example {parameter.example}.")
            value = str(parameters[key])
            if not re.fullmatch(parameter.pattern, value):
                raise FetchError(f"{self.name}: {key} = '{value}' is no {parameter.meaning}, as {parameter.example}.")
            values[key] = quote(value, safe=",")
        return template.format(**values)


class Manifest(_Strict):
    """All entries.

    Parameters
    ----------
    entries : tuple of Entry
        In the order of the file.
    """

    entries: tuple[Entry, ...]

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of that name; FetchError names the known ones."""
        entries = {entry.name: entry for entry in self.entries}
        if name not in entries:
            raise FetchError(f"data_manifest.yaml has no entry '{name}'; it has: {', '.join(entries)}.")
        return entries[name]

    def used_by(self, chapter: str) -> tuple[Entry, ...]:
        """Entries that a chapter reads.

        Parameters
        ----------
        chapter : str
            Its id in book/outline.yml, for example ``introduction``.
        """
        return tuple(entry for entry in self.entries if chapter in entry.chapters)


def parse(text: str, where: str) -> Manifest:
    """Read the YAML text of a manifest.

    Parameters
    ----------
    text : str
    where : str
        Name of the file, for errors.

    Raises
    ------
    ManifestError
        Names the entry, the field and what is wrong.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ManifestError(f"{where} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(raw, dict) or not all(isinstance(value, dict) for value in raw.values()):
        raise ManifestError(f"{where} must map names to entries, each with its fields.")
    entries = []
    for name, fields in raw.items():
        try:
            entries.append(Entry(name=name, **fields))
        except ValidationError as error:
            problem = error.errors()[0]
            field = ".".join(str(part) for part in problem["loc"]) or "entry"
            raise ManifestError(f"{where}: entry '{name}', {field}: {problem['msg']}.") from error
    return Manifest(entries=tuple(entries))


@lru_cache(maxsize=4)
def _load(path: Path, modified_ns: int) -> Manifest:
    return parse(path.read_text(encoding="utf-8"), path.name)


def load_manifest(path: str | Path | None = None) -> Manifest:
    """Read `data_manifest.yaml`.

    Parameters
    ----------
    path : path, optional
        The file; default the one at the root of the repository.

    Raises
    ------
    ManifestError
        When it is not there or not valid.
    """
    path = Path(path) if path else repository_root() / "data_manifest.yaml"
    if not path.is_file():
        raise ManifestError(f"{path.name} is not in {path.parent.name}: run dmlib inside its checkout.")
    return _load(path, path.stat().st_mtime_ns)
