#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""chart.py JSON: prints an SVG chart of a run: a panel of bars for each column.

Devices without a process behind them may be many times as fast as all others;
a bar that would not fit is cut, and has an arrow."""

import json
import sys
from html import escape

COLOURS = {"kernel": "#9a9a9a", "ublk": "#d98b2b", "nbd": "#8e6fb5", "blktap": "#2b7bba"}
LABEL, BAR, VALUE = 180, 300, 90    # widths of a panel's parts
LINE, HEAD, GAP = 16, 30, 24        # heights
TOP = 80
PANEL = LABEL + BAR + VALUE


def short(number):
    if number < 1000:
        return f"{number:.0f}"
    return f"{number / 1000:.{1 if number < 100000 else 0}f}k"


def words(x, y, content, size=12, more=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" {more}>{escape(content)}</text>'


def bar(x, y, name, family, iops, full):
    """One device: its bar, and a whisker from the lowest round to the highest."""
    scale = BAR / full
    width = min(iops["median"] * scale, BAR)
    yield words(x + LABEL - 6, y + LINE - 4, name, 11, 'text-anchor="end"')
    yield (f'<rect x="{x + LABEL}" y="{y + 2}" width="{width:.1f}" height="{LINE - 4}" '
           f'fill="{COLOURS[family]}"/>')
    value = short(iops["median"])
    if iops["median"] > full:
        cut = x + LABEL + BAR - 14
        yield f'<path d="M{cut} {y + LINE} l6 -{LINE}" stroke="white" stroke-width="3"/>'
        value = "\u2192 " + value
    else:
        low, high = (x + LABEL + min(iops[which] * scale, BAR) for which in ("low", "high"))
        yield (f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + LINE / 2}" y2="{y + LINE / 2}" '
               f'stroke="black" stroke-width="1.5"/>')
    yield words(x + LABEL + BAR + 6, y + LINE - 4, value, 11)


def panel(run, x, y, column, title):
    rows = [(name, run["peers"][name]["family"], cells[column]["iops"])
            for name, cells in run["cells"].items() if column in cells]
    served = [iops["high"] for _, family, iops in rows if family != "kernel"]
    full = max(served or [iops["high"] for *_, iops in rows] or [1]) * 1.05
    yield words(x + LABEL, y + HEAD - 10, title, 14, 'font-weight="bold"')
    for i, (name, family, iops) in enumerate(rows):
        yield from bar(x, y + HEAD + i * LINE, name, family, iops, full)


def legend(x, y):
    for family, colour in COLOURS.items():
        yield f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>'
        yield words(x + 18, y, family)
        x += 90


def chart(run):
    height = HEAD + len(run["cells"]) * LINE + GAP
    lines = (len(run["columns"]) + 1) // 2
    size = f'width="{2 * PANEL + 40}" height="{TOP + lines * height}"'
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield "<!-- SPDX-License-Identifier: GPL-2.0-only -->"
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
    yield '<rect width="100%" height="100%" fill="white"/>'
    yield words(20, 26, f"I/Os per second, Linux {run.get('kernel', '?')}", 18, 'font-weight="bold"')
    yield words(20, 46, f"{run.get('cpus', '?')} CPUs ({run['accelerator']}), median of {run['rounds']} rounds of "
                f"{run['seconds']} s in turns; the line goes from the lowest to the highest")
    yield from legend(20, 68)
    for i, (column, title) in enumerate(run["columns"].items()):
        yield from panel(run, 20 + i % 2 * PANEL, TOP + i // 2 * height, column, title)
    yield "</svg>"


with open(sys.argv[1], encoding="utf-8") as source:
    print("\n".join(chart(json.load(source))))
