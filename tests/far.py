"""Plain functions for other processes to run: importing this costs them nothing."""

from __future__ import annotations

import os
from pathlib import Path


def pid(_value: object) -> int:
    return os.getpid()


def double(value: int) -> int:
    return 2 * value


def refuse(value: str) -> None:
    raise ValueError(value)


def die(_value: object) -> None:
    os._exit(3)


def die_once(mark: str) -> int:
    """The process that first comes here dies; the next one says who it is."""
    path = Path(mark)
    if not path.exists():
        path.write_text("died")
        os._exit(3)
    return os.getpid()
