#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""scale-report.py LOG JSON: makes JSON from the log of a run of bench/scale, and prints its tables."""

import json
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "lib"))
sys.dont_write_bytecode = True

from results import read_log, summary  # noqa: E402
from text import about_machine, about_trouble, head, row, short  # noqa: E402


def read_figures(path):
    """{part: {measure: {series: {at: [value]}}}}, all in the order of the log."""
    parts = {}
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            what, *fields = line.rstrip("\n").split("\t")
            if what == "figure":
                part, measure, series, at, value = fields
                cells = parts.setdefault(part, {}).setdefault(measure, {}).setdefault(series, {})
                cells.setdefault(at, []).append(float(value))
    return parts


def count_ends(path):
    """Parts that came to their end."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        return sum(line.rstrip("\n") == "end" for line in lines)


def spread(cell):
    return f"{short(cell['low'])}-{short(cell['high'])}" if cell["all"] > 1 else ""


def table(title, series):
    """A line with the medians of each series, and one with the lowest and the highest."""
    columns = {at: at for cells in series.values() for at in cells}
    width = max(map(len, series)) + 2
    lines = ["", title, *head(columns, width)]
    for name, cells in series.items():
        lines.append(row(name, [short(cells[at]["median"]) if at in cells else "-" for at in columns], width))
        lines.append(row("", [spread(cells[at]) if at in cells else "" for at in columns], width))
    return [line.rstrip() for line in lines if line.strip() or not line]


def main():
    log, out = sys.argv[1:]
    run, _ = read_log(log)
    run["complete"] = count_ends(log) == run["parts"]
    run["figures"] = {
        part: {measure: {series: {at: summary(values) for at, values in cells.items()}
                         for series, cells in table_.items()}
               for measure, table_ in measures.items()}
        for part, measures in read_figures(log).items()}
    with open(out, "w", encoding="utf-8") as file:
        json.dump(run, file, indent=1)
        file.write("\n")
    lines = [about_machine(run), f"measurements of {run['seconds']} s; medians, below them the lowest and the highest"]
    lines += about_trouble(run)
    for part, measures in run["figures"].items():
        for measure, series in measures.items():
            lines += table(f"{part}: {measure}", series)
    print("\n".join(lines))


main()
