"""Errors that a user can mend: one sentence that names the file or the galaxy and the mend."""

import errno


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


def of_the_system(error: OSError) -> str:
    """An error of the operating system, most often about a file, as a sentence with the mend."""
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        # HDF5 puts the system's number into its text only.
        return "no space is left on the disk: free some, or set DMLIB_BUILD to a folder on a larger one"
    if error.filename is None:
        return f"{type(error).__name__}: {error}"
    what = (error.strerror or type(error).__name__).lower()
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.filename}: {what}: outputs can be put elsewhere with DMLIB_BUILD"
    return f"{error.filename}: {what}"
