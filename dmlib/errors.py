"""Errors that a user can mend: one sentence that names the file or the galaxy and the mend."""


class DmlibError(Exception):
    """Base of all errors that dmlib raises on purpose. The command line prints its text and exits with 1."""


class UniverseError(DmlibError):
    """A simulation tree that cannot be read as it is: a missing or truncated chunk, a missing field, the wrong run."""


class GalaxyError(DmlibError):
    """One galaxy that cannot be used. A batch sets it aside with this reason and goes on."""


class ManifestError(DmlibError):
    """A `data_manifest.yaml` that is missing or not of its form; names the entry and the field."""


class FetchError(DmlibError):
    """Data that could not be obtained: no network, no key, a wrong checksum, a page where a file was expected."""


class StepError(DmlibError):
    """A step of the pipeline that failed."""
