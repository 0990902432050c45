"""The drawing process: a chart or a matrix as JSON on standard input, a PNG on standard output. Run only by `chart.draw`."""

from __future__ import annotations

import json
import sys
import textwrap
from datetime import datetime, timedelta
from typing import Any

# Paul Tol's muted colours: told apart with every kind of colour sight (SRON technical note 09-002, issue 3.2).
GROUPS = "#332288 #117733 #cc6677 #44aa99 #aa4499 #999933 #882255 #88ccee".split()
COLOURS = {"used": "#007a5a", "stale": "#d99a00", "no_attempt": "#b8bcc2", "not_tracked": "#b8bcc2"}
INK, SOFT, GRID = "#1d1c1d", "#616061", "#e8e8e8"
LINES = (
    ("granted", "#4a6fa5", "-", "granted"),
    ("used", "#007a5a", "-", "used"),
    ("could_go", "#d99a00", (0, (4, 2)), "could go"),
)

TICKS = 6
"""Days named below a trend, besides the first."""
_WIDE = 72
"""Letters of a title that a line holds; it has two at most."""
NAMED = 12
"""Changes of a trend that find room for their words."""


def render(spec: dict[str, Any]) -> bytes:
    """Draw what is asked for; the drawn file."""
    import io  # everything of this process loads here, nothing when the module is imported

    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mpl.rcParams.update({"text.parse_math": False, "font.size": 10, "svg.fonttype": "none"})
    figure = _FIGURES[spec["kind"]](spec, plt)
    out = io.BytesIO()
    figure.savefig(out, format="png", facecolor="white")
    plt.close(figure)
    return out.getvalue()


def _attempts(spec: dict[str, Any], plt: Any) -> Any:
    """Time runs to the report at the right; a dot is the last attempt, a dotted line none seen."""
    bars = spec["bars"]
    tracked, window = spec["tracked_days"], spec["window_days"]
    height = max(2.6, 1.5 + 0.27 * len(bars))
    figure, axes = plt.subplots(figsize=(9, height), dpi=150, layout="constrained")
    axes.axvspan(-window, 0, color="#e8f5ef", zorder=0, linewidth=0)
    for y, bar in enumerate(bars):
        colour = COLOURS[bar["usage"]]
        if bar["days"] is None:
            axes.plot([-tracked, 0], [y, y], color=GRID, linewidth=1.2, linestyle=(0, (1, 3)), zorder=1)
            mark = "?" if bar["usage"] == "not_tracked" else "no attempt seen"
            axes.text(
                -tracked + 4, y, mark, va="center", ha="left", color=SOFT, fontsize=8, backgroundcolor="white"
            )
            continue
        days = min(bar["days"], tracked)
        axes.plot(
            [-tracked, -days],
            [y, y],
            color=colour,
            linewidth=2.2,
            alpha=0.35,
            solid_capstyle="round",
            zorder=1,
        )
        earlier = [-d for d in bar["earlier"] if days < d <= tracked]
        axes.scatter(earlier, [y] * len(earlier), color=colour, s=12, alpha=0.7, zorder=2)
        axes.scatter([-days], [y], color=colour, s=46, zorder=3)
        side, align = (8, "left") if days > tracked * 0.12 else (-8, "right")
        label = "today" if days == 0 else f"{days} d"
        axes.annotate(
            label,
            (-days, y),
            (side, 0),
            textcoords="offset points",
            va="center",
            ha=align,
            color=INK,
            fontsize=8,
            bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
        )
    _axes_of_attempts(axes, bars, tracked)
    _head(figure, axes, spec)
    return figure


def _axes_of_attempts(axes: Any, bars: list[dict[str, Any]], tracked: int) -> None:
    axes.set_yticks(range(len(bars)), [b["name"] for b in bars], color=INK)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(-tracked, 6)
    ticks = [t for t in (400, 270, 180, 90, 0) if t <= tracked]
    axes.set_xticks(
        [-t for t in ticks],
        [("report" if t == 0 else f"{t} d before") for t in ticks],
        color=SOFT,
        fontsize=8,
    )
    axes.tick_params(length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.8, zorder=0)
    for side_name in ("top", "right", "left", "bottom"):
        axes.spines[side_name].set_visible(False)


def _head(figure: Any, axes: Any, spec: dict[str, Any]) -> None:
    title = textwrap.shorten(spec["title"], 2 * _WIDE, placeholder="…")
    axes.set_title(textwrap.fill(title, _WIDE), loc="left", color=INK, fontsize=12, fontweight="bold", pad=12)
    figure.supxlabel(spec["note"], color=SOFT, fontsize=8, x=0.01, ha="left")


def _trend(spec: dict[str, Any], plt: Any) -> Any:
    """Granted over used as steps, since nothing is known between two reports; what could go as a dashed line."""
    points = spec["points"]
    days = [datetime.fromisoformat(p["day"]) for p in points]
    figure, axes = plt.subplots(figsize=(9, 4), dpi=150, layout="constrained")
    most = max(1, *(p["granted"] for p in points))
    ends = []
    for key, colour, style, label in LINES:
        known = [(d, p[key]) for d, p in zip(days, points, strict=True) if p[key] is not None]
        if not known:
            continue
        x, y = zip(*known, strict=True)
        axes.step(x, y, where="post", color=colour, linewidth=2.2, linestyle=style, zorder=3)
        axes.scatter(x, y, color=colour, s=14 if len(x) < 30 else 4, zorder=4)
        if key != "could_go":
            axes.fill_between(x, y, step="post", color=colour, alpha=0.08, linewidth=0, zorder=1)
        ends.append((y[-1], f"{label} {y[-1]:,}", colour))
    _label_ends(axes, ends, most)
    _mark(axes, spec["marks"], most)
    axes.set_ylim(0, most * 1.3 if spec["marks"] else most * 1.15)
    axes.margins(x=0.02)
    ticks = _days_named(days[0], days[-1])
    axes.set_xticks(ticks, [f"{t.day} {t:%b %Y}" for t in ticks])
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(length=0, colors=SOFT, labelsize=8, pad=6)
    axes.grid(axis="y", color=GRID, linewidth=0.8, zorder=0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    _head(figure, axes, spec)
    return figure


def _days_named(first: datetime, last: datetime) -> list[datetime]:
    """Days evenly apart, back from the last one; the first too, where it does not run into the next."""
    step = max(1, -(-(last - first).days // TICKS))
    found = [last - timedelta(days=step * n) for n in range((last - first).days // step + 1)]
    return found if (found[-1] - first).days < 0.6 * step else [*found, first]


def _label_ends(axes: Any, ends: list[tuple[int, str, str]], most: int) -> None:
    """The last number of each line beside it; lines that end close together have their words apart."""
    place: float = -most
    ends.reverse()  # of equal ones granted stands above
    for value, label, colour in sorted(ends, key=lambda end: end[0]):
        place = max(value, place + most * 0.08)
        where = {"xycoords": ("axes fraction", "data"), "va": "center", "annotation_clip": False}
        axes.annotate(label, (1.01, place), color=colour, fontsize=9, fontweight="bold", **where)


def _mark(axes: Any, marks: list[dict[str, str]], most: int) -> None:
    """What was carried out, as a dotted line a day; words in turn on three levels, and only where few."""
    for n, mark in enumerate(marks):
        at = datetime.fromisoformat(mark["day"])
        axes.axvline(at, color=SOFT, linewidth=1, linestyle=(0, (2, 3)), zorder=2)
        if len(marks) <= NAMED:
            place = (at, most * (1.08 + 0.07 * (n % 3)))
            box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
            offset = {"textcoords": "offset points", "bbox": box, "zorder": 5}
            axes.annotate(mark["label"], place, (3, 0), color=SOFT, fontsize=7, **offset)


def _matrix(spec: dict[str, Any], plt: Any) -> Any:
    """Who uses what: cells of a group in its colour, its blocks outlined with their number, the rest grey."""
    from matplotlib.colors import ListedColormap

    rows, columns = len(spec["rows"]), len(spec["columns"])
    named = not spec["spans"]
    tall = 0.17 if named else max(0.03, min(0.06, 9 / rows))  # inches a row
    wide = max(0.17, min(0.3, 6 / columns))
    size = (max(7.0, 2.6 + wide * columns), max(3.0, 2.2 + tall * rows))
    figure, axes = plt.subplots(figsize=size, dpi=130, layout="constrained")
    shown = [[_shade(value) for value in row] for row in spec["cells"]]
    colours = ListedColormap(["#ffffff", "#b8bcc2", *GROUPS])
    axes.imshow(
        shown, cmap=colours, vmin=0, vmax=1 + len(GROUPS), aspect="auto", interpolation="nearest", alpha=0.8
    )
    thin = 0.6 if named else 0
    axes.set_xticks([x - 0.5 for x in range(1, columns)], minor=True)
    axes.set_yticks([y - 0.5 for y in range(1, rows)] if named else [], minor=True)
    axes.grid(which="minor", color=GRID, linewidth=thin)
    _outline(axes, spec["blocks"], wide, tall)
    axes.set_xticks(range(columns), spec["columns"], rotation=90, color=INK, fontsize=7.5)
    axes.xaxis.tick_top()
    _name_rows(axes, spec)
    axes.tick_params(which="both", length=0)
    for side in axes.spines.values():
        side.set_color(GRID)
    figure.suptitle(spec["title"], x=0.01, ha="left", color=INK, fontsize=12, fontweight="bold")
    note = "\n".join(textwrap.fill(line, int(size[0] * 14)) for line in spec["note"].split("\n"))
    figure.supxlabel(note, color=SOFT, fontsize=8, x=0.01, ha="left")
    return figure


def _outline(axes: Any, blocks: list[dict[str, int]], wide: float, tall: float) -> None:
    """A frame around each block, with the number of its group where there is room."""
    from matplotlib.patches import Rectangle

    for block in blocks:
        width, height = block["right"] - block["left"] + 1, block["bottom"] - block["top"] + 1
        corner = (block["left"] - 0.5, block["top"] - 0.5)
        axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=INK, linewidth=1.4, zorder=3))
        if width * wide >= 0.16 and height * tall >= 0.16:
            axes.text(
                corner[0] + width / 2,
                corner[1] + height / 2,
                str(block["number"]),
                ha="center",
                va="center",
                color=INK,
                fontsize=8,
                fontweight="bold",
                bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.9},
                zorder=4,
            )


def _name_rows(axes: Any, spec: dict[str, Any]) -> None:
    if not spec["spans"]:
        rows = len(spec["rows"])
        axes.set_yticks(range(rows), spec["rows"], color=INK, fontsize=7.5)
    else:
        axes.set_yticks(
            [(a + b) / 2 for a, b, _ in spec["spans"]],
            [t for _, _, t in spec["spans"]],
            color=INK,
            fontsize=8,
        )
        for first, _, _ in spec["spans"][1:]:
            axes.axhline(first - 0.5, color=SOFT, linewidth=0.6)


def _shade(value: int) -> int:
    """The place of a cell's colour: white, grey, then the groups' in turn."""
    if value > 0:
        return 2 + (value - 1) % len(GROUPS)
    return -value


_FIGURES = {"trend": _trend, "chart": _attempts, "matrix": _matrix}


def main() -> None:
    """Draw what stands on standard input."""
    spec = json.load(sys.stdin)
    sys.stdout.buffer.write(render(spec))


if __name__ == "__main__":
    main()
