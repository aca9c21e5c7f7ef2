"""What the book takes from elsewhere: `data_manifest.yaml`, downloading, verifying, citing.

What the data mean is the business of the modules that read them.

>>> from dmlib.manifest import available, fetch
>>> folder = fetch("sparc-rotmod")                          # doctest: +SKIP
>>> available("tng100-skirt-image", subhalo_id=6).state     # doctest: +SKIP
'absent'
"""

from .fetch import State, available, fetch, table
from .schema import Entry, Manifest, load_manifest

__all__ = ["Entry", "Manifest", "State", "available", "fetch", "load_manifest", "table"]
