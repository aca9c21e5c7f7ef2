"""A server that speaks the TNG web API, and an environment in which dmlib talks to it and to nobody else."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits

from mocktng import TngServer

#: The key that is to appear nowhere.
KEY = 2 * "5ec2e70fc0ffee" + "5ec2"  # made up; of a real key's form, so that outputs can be searched for it


def environment(server: TngServer, folder: Path) -> dict[str, str]:
    """Variables for a client of this server that keeps its downloads in `folder`."""
    return {
        "DMLIB_TNG_URL": server.url,
        "TNG_API_KEY": KEY,
        "DMLIB_DATA": str(folder / "cache"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "DMLIB_TNG_PAUSE": "0.01",
        "DMLIB_QUIET": "1",
        "DMLIB_WORKERS": "1",
        "NO_PROXY": "127.0.0.1",
    }


def broadband(path: Path) -> Path:
    """Write a published image of one colour; gives its path."""
    hdu = fits.PrimaryHDU(np.full((4, 200, 200), 2.0, ">f4"))
    hdu.header.update({"BUNIT": "counts/s/pixel", "PIXSCALE": 0.396, "USE_Z": 0.0485236})
    hdu.header.update({f"CTYPE{i}": "pc" for i in (1, 2)} | {f"CDELT{i}": 388.65 for i in (1, 2)})
    hdu.header.update({f"FILTER{k}": f"sloan/sdss_{band}" for k, band in enumerate("griz")})
    hdu.writeto(path)
    return path


def arrays_of(path: Path) -> dict[str, tuple]:
    """Every array and attribute of an HDF5 file, exactly, but for those that say where its content is from."""
    told = {"@universe", "@data", "@made_from", "@universe_identity"}
    found: dict[str, tuple] = {}

    def look(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            values = item[()]
            content = tuple(values.tolist()) if values.dtype == object else values.tobytes()
            found[name] = (item.shape, item.dtype.str, content)
        for key, value in item.attrs.items():
            found[f"{name}@{key}"] = (np.asarray(value).tolist(),)

    with h5py.File(path) as handle:
        look("", handle)
        handle.visititems(look)
    return {name: content for name, content in found.items() if name not in told}
