"""The drawing process: a chart as JSON on standard input, a PNG on standard output. Run only by `chart.draw`."""

from __future__ import annotations

import json
import sys
from typing import Any

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


if __name__ == "__main__":
    sys.stdout.buffer.write(render(json.load(sys.stdin)))
