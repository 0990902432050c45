"""Granted against used over time, where Slack takes no picture: its own chart, or bars; and both in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.core.trend import Point
from handlers.blocks import kit
from handlers.blocks.kit import Json, Message

_MOST = 20
"""Points that a series of a chart block holds."""


def note(points: Sequence[Point]) -> str:
    """What stands below a picture. More entities are more grants: a rise of that kind is no drift, and is told apart."""
    first, last = points[0], points[-1]
    told = "Services of the last report of each day. Steps: nothing is known between two reports."
    if first.entities == last.entities:
        return told
    more = "What was read for the first time adds its services. " if last.entities > first.entities else ""
    return f"{told}\n{more}Entities: {_entities(first)}, {_entities(last)}."


def _entities(point: Point) -> str:
    return f"{point.entities:,} on {point.day.day} {point.day:%b %Y}"


def sentence(title: str, points: Sequence[Point]) -> str:
    """The first and the last day in words: an alt text."""
    first, last = points[0], points[-1]
    then = "" if first == last else f", on {_day(first)} {first.granted:,}, {first.used:,} and {_go(first)}"
    return f"{title}: on {_day(last)} {last.granted:,} services granted, {last.used:,} used, {_go(last)} could go{then}."


def _day(point: Point) -> str:
    return point.day.isoformat()


def _go(point: Point) -> str:
    return "–" if point.could_go is None else f"{point.could_go:,}"


def fewer(points: Sequence[Point], most: int = _MOST) -> list[Point]:
    """At most so many points, evenly spread, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(n * step)] for n in range(most)]


def chart(title: str, points: Sequence[Point], rung: int) -> Message:
    """The trend as a line chart of Slack’s own, or as bars."""
    shown, said = fewer(points), sentence(title, points)
    refused = kit.small("Slack refused the picture, so these are its numbers.")
    if rung == 0:
        days = [_day(p) for p in shown]
        series = [
            _series("Granted", days, [p.granted for p in shown]),
            _series("Used", days, [p.used for p in shown]),
        ]
        block: Json = {
            "type": "data_visualization",
            "title": kit.clip(title, 50),
            "chart": {
                "type": "line",
                "series": series,
                "axis_config": {"categories": days, "x_label": "Day (UTC)", "y_label": "Services"},
            },
        }
        return Message(said, [block, kit.small(said), refused])
    most = max(1, *(p.granted for p in shown))
    lines = [f"{'Day (UTC)':<11}{'granted':>9}{'used':>9}"]
    lines += [f"{_day(p):<11}{p.granted:>9,}{p.used:>9,}  {_bar(p, most)}".rstrip() for p in shown]
    lead = kit.section(kit.text(title, bold=True))
    return Message(said, [kit.rich(lead, kit.preformatted("\n".join(lines))), refused])


def _bar(point: Point, most: int) -> str:
    used, granted = round(point.used / most * 30), round(point.granted / most * 30)
    return "█" * used + "░" * max(0, granted - used)


def _series(name: str, days: Sequence[str], values: Sequence[int]) -> Json:
    return {
        "name": name,
        "data": [{"label": d, "value": v} for d, v in zip(days, values, strict=True)],
    }
