"""Observing galaxies: lines of sight, images, HI cubes, moment maps; simulated with a telescope, or real."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from ..errors import DmlibError


@contextmanager
def open_fits(
    source: str | Path | BinaryIO, failure: type[DmlibError], mend: str, name: str = ""
) -> Iterator[fits.HDUList]:
    """Open a FITS file; whatever is wrong with it becomes an error of one sentence.

    Parameters
    ----------
    source : path or binary file
    failure : type
        Of the error.
    mend : str
        What the reader can do, the end of the sentence.
    name : str
        In messages; that of the file by default.
    """
    name = name or Path(str(source)).name
    try:
        with warnings.catch_warnings():
            # What astropy warns of, for example a file that ends early, is an error below, or none.
            warnings.simplefilter("ignore", AstropyUserWarning)
            with fits.open(source, memmap=False) as file:
                yield file
    except FileNotFoundError as error:
        raise failure(f"There is no file {source}: {mend}.") from error
    except (OSError, EOFError, TypeError, ValueError, IndexError, zlib.error, fits.VerifyError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise failure(f"{name} cannot be read as FITS, or is cut short ({said}): {mend}.") from error
