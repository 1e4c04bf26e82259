# /// script
# requires-python = ">=3.12"
# dependencies = ["matplotlib>=3.10,<4"]
# ///
"""
Draws what the chaos suite and the soak came to: `uv run docs/draw.py`, from `explanation/figures/*.json` into `docs/images`.

The figures are the documents that `./smsgw chaos --json` and `./smsgw soak --json` print, without their lists of messages and events.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_DOCS = Path(__file__).parent
_FIGURES, _IMAGES = _DOCS / "explanation" / "figures", _DOCS / "images"
_HELD, _FAILED, _SECOND = "#2f6f4f", "#b3261e", "#8fbf9f"
#: Seconds; what took less is drawn as long as this, so that there is a bar.
_LEAST = 0.1

mpl.rcParams |= {"font.size": 8, "svg.fonttype": "none", "svg.hashsalt": "smsgw", "axes.spines.top": False, "axes.spines.right": False}


def main() -> None:
    """Every picture whose figures are there."""
    for name, draw in (("chaos", chaos), ("soak", soak)):
        path = _FIGURES / f"{name}.json"
        if path.exists():
            figure = draw(json.loads(path.read_text()))
            figure.savefig(_IMAGES / f"proofs-{name}.svg", metadata={"Date": None}, bbox_inches="tight")
            plt.close(figure)


def chaos(told: Mapping[str, Any]) -> Figure:
    """Of each scenario: how long until messages were accepted again after the fault, in each pass."""
    passes: list[dict[str, dict[str, Any]]] = [{one["scenario"]: one for one in each["scenarios"]} for each in told["passes"]]
    names = list(dict.fromkeys(name for each in passes for name in each))
    half = (len(names) + 1) // 2
    figure, axes = plt.subplots(1, 2, figsize=(11, half * 0.17 + 1), sharex=True)
    for column, part in zip(axes, (names[:half], names[half:]), strict=True):
        _rows(column, part, passes)
    axes[0].legend(loc="lower right", frameon=False)
    figure.supxlabel(
        "seconds from the end of the fault until 20 more messages were accepted; red: did not hold; no bar: not run", fontsize=8
    )
    figure.tight_layout()
    return figure


def _rows(axes: Axes, names: Sequence[str], passes: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
    height = 0.8 / len(passes)
    for number, each in enumerate(passes):
        run = [(place, each[name]) for place, name in enumerate(names) if name in each]
        places = [place - 0.4 + height * (number + 0.5) for place, _ in run]
        seconds = [max(one["accepting_after"] or 0.0, _LEAST) for _, one in run]
        colours = [(_HELD, _SECOND)[number % 2] if one["held"] else _FAILED for _, one in run]
        axes.barh(places, seconds, height=height, color=colours, label=f"pass {number + 1}")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.grid(visible=True, color="#dddddd")
    axes.set_axisbelow(True)


def soak(told: Mapping[str, Any]) -> Figure:
    """Memory of each process, connections of each service, and dead rows, over the run."""
    figure, (memory, connections, dead) = plt.subplots(3, 1, figsize=(9, 8), sharex=True, height_ratios=(3, 2, 1))
    minutes = [told["minutes"] * number / max(told["readings"] - 1, 1) for number in range(told["readings"])]
    for name, each in told["memory_mb"].items():
        memory.plot(minutes, [value or None for value in each["series"]], label=name)
    memory.set_ylabel("MB resident")
    for service, each in told["connections"].items():
        connections.plot(minutes, each["series"], label=service)
    connections.set_ylabel("connections")
    dead.plot(minutes, [rows / 1000 for rows in told["dead_rows_in_all"]], color=_HELD)
    dead.set_ylabel("dead rows, thousands")
    dead.set_xlabel("minutes; a fault in each")
    for axes in (memory, connections, dead):
        axes.set_ylim(bottom=0)
        axes.yaxis.grid(visible=True, color="#dddddd")
    for axes in (memory, connections):
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.tight_layout()
    return figure


if __name__ == "__main__":
    main()
