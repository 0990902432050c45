"""Many values from process to process as bytes: who gets them unpacks a few at a time, and throws those away again.

Unpacked in one piece they would be objects by the hundred thousand, all of which Python's collector walks, again and
again, while every other thread waits.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

Parcels = tuple[bytes, ...]

_SIZE = 50
"""Values a parcel: texts that several of them have are in it once."""


def pack(values: Iterable[object], size: int = _SIZE) -> Parcels:
    """Values of any type that another process knows too."""
    rest = iter(values)
    return tuple(
        zlib.compress(pickle.dumps(some, pickle.HIGHEST_PROTOCOL), level=1)
        for some in iter(lambda: tuple(islice(rest, size)), ())
    )


def unpack(parcels: Parcels) -> Iterator[Any]:
    """The values, parcel by parcel."""
    for parcel in parcels:
        # Our own process or our own cluster packed it; whoever could change it runs our code already.
        yield from pickle.loads(zlib.decompress(parcel))  # noqa: S301
