# SPDX-License-Identifier: GPL-2.0-only
"""What bench/guest wrote, line by line, and the figures that follow from it."""

import re
from statistics import median

# What a sample holds after name, column and round: see bench/lib/load.sh.
SAMPLE = ("ios", "usec", "latency_50", "latency_99", "machine_usec", "process_usec")
# A disk of ours is compared with those of each of these families (and names, by
# pattern) that have the same behind them.
RIVALS = (
    ("ublk, best mode", "ublk", ""),
    ("ublk, copy mode", "ublk", "-copy$"),
    ("ublk, best zero copy", "ublk", "-(zc|auto|batch|batch-auto)$"),
    ("nbd, best server", "nbd", ""),
    ("loop", "kernel", "^loop-"),
    ("what is behind, itself", "kernel", "^(null_blk|brd|ext4-file)$"),
)


def summary(values):
    values = sorted(values)
    return {"median": median(values), "low": values[0], "high": values[-1], "all": len(values)}


def read_columns(path):
    """{name: title} in the order of the file."""
    with open(path, encoding="utf-8") as lines:
        rows = [line.split(None, 5) for line in lines if not line.startswith("#")]
    return {row[0]: row[5].strip() for row in rows}


def read_log(path):
    """The run's settings, and a list of samples."""
    run = {"peers": {}, "missing": {}, "failed": {}, "complete": False}
    samples = []
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            what, *fields = line.rstrip("\n").split("\t")
            if what == "options":
                name, value = fields[0].split("=", 1)
                run[name] = int(value) if value.isdigit() else value
            elif what in ("kernel", "memory", "cpus"):
                run[what] = fields[0]
            elif what == "peer":
                names = ("family", "behind", "queues", "scheduler", "max_kib", "remark")
                run["peers"][fields[0]] = dict(zip(names, fields[1:]))
            elif what == "missing":
                run["missing"][fields[0]] = fields[1]
            elif what == "failed":
                run["failed"][fields[0]] = f"{fields[1]}: {fields[2]}"
            elif what == "sample":
                samples.append((*fields[:3], dict(zip(SAMPLE, map(int, fields[3:])))))
            elif what == "end":
                run["complete"] = True
    return run, samples


def figures(samples):
    """Of the rounds of one peer in one column."""
    cell = {
        "iops": summary([s["ios"] / s["usec"] * 1e6 for s in samples]),
        "machine_usec": summary([s["machine_usec"] / s["ios"] for s in samples]),
        "process_usec": summary([s["process_usec"] / s["ios"] for s in samples]),
    }
    for which in ("latency_50", "latency_99"):
        cell[which + "_usec"] = summary([s[which] / 1000 for s in samples])
    return cell


def compare(cells, ours, theirs, column):
    """Ours to the best of theirs in a column: speed, and CPU time for one I/O."""
    theirs = [cells[name][column] | {"name": name} for name in theirs if column in cells.get(name, {})]
    if not theirs or column not in cells.get(ours, {}):
        return None
    mine = cells[ours][column]
    fast = max(theirs, key=lambda cell: cell["iops"]["median"])
    cheap = min(theirs, key=lambda cell: cell["machine_usec"]["median"])
    return {
        "speed": mine["iops"]["median"] / fast["iops"]["median"],
        "speed_low": mine["iops"]["low"] / fast["iops"]["high"],
        "speed_high": mine["iops"]["high"] / fast["iops"]["low"],
        "fastest": fast["name"],
        "cpu": mine["machine_usec"]["median"] / max(cheap["machine_usec"]["median"], 0.001),
        "cheapest": cheap["name"],
    }


def ratios(peers, cells, columns):
    """{ours: {rival: {column: comparison}}}"""
    table = {}
    for ours, about in peers.items():
        if about["family"] != "blktap":
            continue
        for title, family, pattern in RIVALS:
            theirs = [name for name, other in peers.items() if other["family"] == family
                      and other["behind"] == about["behind"] and re.search(pattern, name)]
            row = {column: compare(cells, ours, theirs, column) for column in columns}
            row = {column: ratio for column, ratio in row.items() if ratio}
            if row:
                table.setdefault(ours, {})[title] = row
    return table


def results(log, columns_file):
    """Everything that is known about a run."""
    run, samples = read_log(log)
    measured = {column for _, column, *_ in samples}
    run["columns"] = {name: title for name, title in read_columns(columns_file).items() if name in measured}
    grouped = {}
    for name, column, _, sample in samples:
        grouped.setdefault(name, {}).setdefault(column, []).append(sample)
    run["cells"] = {name: {column: figures(list_) for column, list_ in row.items()}
                    for name, row in grouped.items()}
    run["ratios"] = ratios(run["peers"], run["cells"], run["columns"])
    return run
