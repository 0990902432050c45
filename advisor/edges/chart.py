"""Charts, drawn by matplotlib in a process of its own: it would cost the bot 60 MB and its GIL."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from advisor.core.errors import AuditError
from advisor.core.trend import Point

TIMEOUT = 60
"""Seconds a drawing may take; the first one on a machine builds matplotlib's font cache."""

_ROOT = Path(__file__).resolve().parents[2]


class NoChart(AuditError):
    """The drawing process failed."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One service: days since its last attempt (None: none seen), and its usage as a word.

    `earlier` are the last attempts that older reports saw, in days before this report.
    """

    name: str
    days: int | None
    usage: str
    earlier: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Use over time: a row a service, a dot at its last attempt, small ones at those that earlier reports saw."""

    title: str
    note: str
    window_days: int
    tracked_days: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A day on which something was carried out, and what."""

    day: date
    label: str


@dataclass(frozen=True, slots=True)
class Trend:
    """Granted against used over time, with what could go where it is known. `points` are in order, two at least."""

    title: str
    points: tuple[Point, ...]
    note: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Rectangle:
    """The outline of a block: places of its first and last row and column, and the number of its group."""

    top: int
    bottom: int
    left: int
    right: int
    number: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """Who uses what: a row a person, a column a service. `cells` are 0 (not used), -1 (used, in no group) or a group.

    `spans` name runs of rows where there are too many to name each: first and last row, and the words.
    """

    title: str
    note: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[int, ...], ...]
    blocks: tuple[Rectangle, ...] = ()
    spans: tuple[tuple[int, int, str], ...] = ()


def draw(chart: Chart | Trend | Matrix) -> bytes:
    """A PNG of the chart. Raises NoChart."""
    spec = {"kind": type(chart).__name__.lower(), **asdict(chart)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "advisor.edges.chart_png"],
            input=json.dumps(spec, default=date.isoformat).encode(),
            capture_output=True,
            timeout=TIMEOUT,
            check=True,
            cwd=_ROOT,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoChart(f"the chart could not be drawn: {type(error).__name__}") from error
    return done.stdout
