"""The drawing process: a chart or a matrix as JSON on standard input, a PNG on standard output. Run only by `chart.draw`."""

from __future__ import annotations

import json
import sys
import textwrap
from typing import Any

# Paul Tol's muted colours: told apart with every kind of colour sight (SRON technical note 09-002, issue 3.2).
GROUPS = "#332288 #117733 #cc6677 #44aa99 #aa4499 #999933 #882255 #88ccee".split()
COLOURS = {"used": "#007a5a", "stale": "#d99a00", "no_attempt": "#b8bcc2", "not_tracked": "#b8bcc2"}
INK, SOFT, GRID = "#1d1c1d", "#616061", "#e8e8e8"


def render(spec: dict[str, Any]) -> bytes:
    """Draw: time runs to the report at the right; a dot is the last attempt, an empty ring none seen."""
    import io  # everything of this process loads here, nothing when the module is imported

    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mpl.rcParams.update({"text.parse_math": False, "font.size": 10, "svg.fonttype": "none"})
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
    axes.set_title(spec["title"], loc="left", color=INK, fontsize=12, fontweight="bold", pad=12)
    figure.supxlabel(spec["note"], color=SOFT, fontsize=8, x=0.01, ha="left")
    out = io.BytesIO()
    figure.savefig(out, format="png", facecolor="white")
    plt.close(figure)
    return out.getvalue()


def matrix(spec: dict[str, Any]) -> bytes:
    """Draw who uses what: cells of a group in its colour, its blocks outlined with their number, the rest grey."""
    import io

    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.colors import ListedColormap

    mpl.rcParams.update({"text.parse_math": False, "font.size": 9})
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
    if named:
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
    axes.tick_params(which="both", length=0)
    for side in axes.spines.values():
        side.set_color(GRID)
    figure.suptitle(spec["title"], x=0.01, ha="left", color=INK, fontsize=12, fontweight="bold")
    note = "\n".join(textwrap.fill(line, int(size[0] * 14)) for line in spec["note"].split("\n"))
    figure.supxlabel(note, color=SOFT, fontsize=8, x=0.01, ha="left")
    out = io.BytesIO()
    figure.savefig(out, format="png", facecolor="white")
    plt.close(figure)
    return out.getvalue()


def _outline(axes: Any, blocks: list[dict[str, int]], wide: float, tall: float) -> None:
    """Frames around blocks, with the number of their group where there is room; a row and a column in inches."""
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


def _shade(value: int) -> int:
    """The place of a cell's colour: white, grey, then the groups' in turn."""
    if value > 0:
        return 2 + (value - 1) % len(GROUPS)
    return -value


def main() -> None:
    """Draw what stands on standard input."""
    spec = json.load(sys.stdin)
    sys.stdout.buffer.write(matrix(spec) if "cells" in spec else render(spec))


if __name__ == "__main__":
    main()
