# /// script
# requires-python = ">=3.12"
# dependencies = ["matplotlib>=3.10,<4"]
# ///
"""
Draws what the chaos suite, the soak and the benchmarks came to: `uv run docs/draw.py`.

It reads `explanation/figures/*.json` and writes into `docs/images`.

The figures are the documents that `./smsgw chaos --json`, `./smsgw soak --json` and `./smsgw bench … --json` print, without their lists of
messages and events.
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
_HELD, _FAILED, _SECOND, _THIRD = "#2f6f4f", "#b3261e", "#8fbf9f", "#c4cfc8"
#: Seconds; what took less is drawn as long as this, so that there is a bar.
_LEAST = 0.1
#: Messages a second, the whole way, on two cores.
_TARGET = 2000
#: Processes with a colour of their own, in the order in which a message meets them; then who is part of the bench only.
_DRAWN = ("gateway", "rabbitmq", "redis", "intake", "postgresql", "worker", "worker-upkeep", "simulator", "receiver", "load generator")
_REST = "the rest"
_COLOURS = ("#4477aa", "#ee8866", "#cc3311", "#66ccee", "#228833", "#aa3377", "#ccbb44", "#777777", "#aaaaaa", "#cccccc", "#eeeeee")

mpl.rcParams |= {"font.size": 8, "svg.fonttype": "none", "svg.hashsalt": "smsgw", "axes.spines.top": False, "axes.spines.right": False}


def main() -> None:
    """Every picture whose figures are there."""
    for page, name, draw in (("proofs", "chaos", chaos), ("proofs", "soak", soak), ("proofs", "calm", soak), ("performance", "load", load)):
        path = _FIGURES / f"{name}.json"
        if path.exists():
            figure = draw(json.loads(path.read_text()))
            figure.savefig(_IMAGES / f"{page}-{name}.svg", metadata={"Date": None}, bbox_inches="tight")
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
        colours = [(_HELD, _SECOND, _THIRD)[number % 3] if one["held"] else _FAILED for _, one in run]
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
    calm = {trial["scenario"] for trial in told["trials"]} == {"calm"}
    dead.set_xlabel("minutes, without a fault" if calm else "minutes; a fault in each")
    for axes in (memory, connections, dead):
        axes.set_ylim(bottom=0)
        axes.yaxis.grid(visible=True, color="#dddddd")
    for axes in (memory, connections):
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.tight_layout()
    return figure


def load(told: Mapping[str, Any]) -> Figure:
    """What is accepted beside the echo, what goes the whole way, and what each process spends on a message of that."""
    figure, (accepts, rates, costs) = plt.subplots(3, 1, figsize=(9, 8), height_ratios=(2, 2.4, 3))
    _accepts(accepts, told["accept"])
    ways = [(f"{way}, {count}", runs) for way in ("pipeline", "reports", "webhooks") for count, runs in told[way].items()]
    for place, (_, runs) in enumerate(ways):
        found = [run["messages_per_second"] for run in runs]
        rates.plot(found, [place] * len(found), "o", color=_HELD, markersize=5, alpha=0.7)
    rates.axvline(_TARGET, color=_FAILED, linewidth=0.8)
    rates.annotate("target", (_TARGET, len(ways) - 1), (4, 0), textcoords="offset points", va="center", color=_FAILED)
    rates.set_xlabel("messages a second, the whole way; a dot for each run")
    _costs(costs, [sorted(runs, key=lambda run: run["messages_per_second"])[len(runs) // 2] for _, runs in ways])
    for axes in (rates, costs):
        axes.set_yticks(range(len(ways)), [text for text, _ in ways])
        axes.set_ylim(len(ways) - 0.4, -0.6)
    for axes in (accepts, rates, costs):
        axes.set_xlim(left=0)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.grid(visible=True, color="#dddddd")
        axes.set_axisbelow(True)
    figure.tight_layout()
    return figure


def _accepts(axes: Axes, told: Mapping[str, Any]) -> None:
    for place, runs in enumerate(told.values()):
        for name, text, colour, up in (
            ("baseline", "FastAPI echo", _SECOND, -0.12),
            ("gateway", "gateway, all on", _HELD, 0.12),
        ):
            found = [one[name]["requests_per_second"] for run in runs for one in run["rounds"]]
            axes.plot(found, [place + up] * len(found), "o", color=colour, markersize=4, alpha=0.7, label=text if place == 0 else None)
    axes.set_yticks(range(len(told)), [f"accept, {count}" for count in told])
    axes.set_ylim(len(told) - 0.4, -0.6)
    axes.set_xlabel("requests a second; a dot for each round")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _costs(axes: Axes, runs: Sequence[Mapping[str, Any]]) -> None:
    spent = [_by_kind(run) for run in runs]
    left = [0.0] * len(runs)
    for kind, colour in zip((*_DRAWN, _REST), _COLOURS, strict=True):
        widths = [each.get(kind, 0.0) for each in spent]
        axes.barh(range(len(runs)), widths, left=left, height=0.6, label=kind, color=colour)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.set_xlabel("µs of processor time a message, in the run in the middle")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _by_kind(run: Mapping[str, Any]) -> dict[str, float]:
    """Of a run, what the processes of each kind spent; `worker-2` is a worker, and who has next to nothing counts as the rest."""
    spent: dict[str, float] = {}
    for one in [*run["processes"], *run["apart"]]:
        kind = one["name"].removesuffix("-2")
        kind = kind if kind in _DRAWN else _REST
        spent[kind] = spent.get(kind, 0.0) + one["cpu_microseconds_per_message"]
    return spent


if __name__ == "__main__":
    main()
