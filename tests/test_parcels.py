"""advisor.edges.parcels: the same values, in order, a few at a time."""

from __future__ import annotations

import pytest

from advisor.core.model import Account
from advisor.edges.parcels import pack, unpack


@pytest.mark.parametrize(("count", "size", "parcels"), [(0, 3, 0), (1, 3, 1), (3, 3, 1), (7, 3, 3)])
def test_values_come_out_as_they_went_in(count: int, size: int, parcels: int) -> None:
    values = [Account(f"{n:012}", own=n == 2) for n in range(count)]
    packed = pack(iter(values), size)
    assert len(packed) == parcels
    assert list(unpack(packed)) == values


def test_a_parcel_is_unpacked_when_its_first_value_is_asked_for() -> None:
    """What is broken further on is not even looked at before."""
    values = unpack((*pack(["good"]), b"broken"))
    assert next(values) == "good"
    with pytest.raises(Exception, match="header"):
        next(values)
