# SPDX-License-Identifier: GPL-2.0-only
"""The results as tables of text."""

import re
import textwrap

NAME = 27
CELL = 14


def short(number):
    """Three digits: 21.4k."""
    if number >= 1e6:
        return f"{number / 1e6:.3g}M"
    if number >= 99950:
        return f"{number / 1e3:.0f}k"
    if number >= 1000:
        return f"{number / 1e3:.3g}k"
    return f"{number:.3g}" if number < 99.5 else f"{number:.0f}"


def row(name, cells, width=NAME):
    return f"{name:<{width}}" + "".join(f"{cell:>{CELL}}" for cell in cells)


def head(columns, width=NAME):
    titles = [textwrap.wrap(title, CELL - 1) for title in columns.values()]
    height = max(map(len, titles))
    return [row("", [([""] * height + title)[-height:][i] for title in titles], width) for i in range(height)]


def table(run, title, *cells):
    """A table with a line for each function in cells, for each peer."""
    lines = ["", title, *head(run["columns"])]
    for name, known in run["cells"].items():
        for i, cell in enumerate(cells):
            lines.append(row("" if i else name, [cell(known[c]) if c in known else "-" for c in run["columns"]]))
    return lines


def ratio_lines(run, ours, rivals):
    lines = ["", f"{ours}, compared with ({run['peers'][ours]['behind']} behind both):", *head(run["columns"])]
    for title, known in rivals.items():
        for name, cell in (
            (title, lambda r: f"{r['speed']:.2f}x"),
            ("  lowest to highest", lambda r: f"{r['speed_low']:.2f}-{r['speed_high']:.2f}"),
            ("  which is", lambda r: re.sub("^ublk-[^-]*-", "", r["fastest"])),
            ("  CPU per I/O", lambda r: f"{r['cpu']:.2f}x"),
        ):
            lines.append(row(name, [cell(known[c]) if c in known else "-" for c in run["columns"]]))
    return lines


def about_machine(run):
    return (f"Linux {run.get('kernel', '?')}, {run.get('cpus', '?')} CPUs, {run.get('memory', '?')} MiB, "
            f"QEMU {run['accelerator']}, blktap {run['commit']}")


def about_trouble(run):
    """What makes figures less than they seem."""
    lines = []
    if run["accelerator"] == "tcg":
        lines.append("Emulated: wake-ups cost more than on hardware, caches do not show. Below 15 % is noise.")
    if not run["complete"]:
        lines.append("NOT COMPLETE: the run ended before its time.")
    for word, names in (("missing", run["missing"]), ("FAILED", run["failed"])):
        lines += [f"{word}: {name}: {why}" for name, why in names.items()]
    return lines


def about(run):
    lines = [
        about_machine(run),
        f"{run['rounds']} rounds of {run['seconds']} s, in turns; fio libaio direct, random, "
        f"disks of {run['size'] >> 20} MiB with {run['queues']} queues; {run['jobs']} jobs in the last column",
    ]
    lines += [f"note: {name}: {peer['remark']}" for name, peer in run["peers"].items() if peer.get("remark")]
    return lines + about_trouble(run)


def text(run):
    lines = about(run)
    lines += table(run, "I/Os per second: median, lowest to highest", lambda c: short(c["iops"]["median"]),
                   lambda c: f"{short(c['iops']['low'])}-{short(c['iops']['high'])}")
    lines += table(run, "CPU microseconds per I/O: whole machine / serving process",
                   lambda c: f"{short(c['machine_usec']['median'])}/{short(c['process_usec']['median'])}")
    lines += table(run, "Latency, microseconds: half / 99 % of the I/Os are done after",
                   lambda c: f"{short(c['latency_50_usec']['median'])}/{short(c['latency_99_usec']['median'])}")
    for ours, rivals in run["ratios"].items():
        lines += ratio_lines(run, ours, rivals)
    lines += ["", "name: family, behind it, hardware queues, scheduler, longest request"]
    lines += [f"{name}: {p['family']}, {p['behind']}, {p['queues']}, {p['scheduler']}, {p['max_kib']} KiB"
              for name, p in run["peers"].items()]
    return "\n".join(lines)
