#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""report.py LOG JSON: makes JSON from the log of a run, and prints its tables."""

import json
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "lib"))
sys.dont_write_bytecode = True

from results import results  # noqa: E402
from text import text  # noqa: E402


def main():
    log, out = sys.argv[1:]
    run = results(log, os.path.join(HERE, "columns"))
    with open(out, "w", encoding="utf-8") as file:
        json.dump(run, file, indent=1)
        file.write("\n")
    print(text(run))


main()
