# SPDX-License-Identifier: GPL-2.0-only
"""
coverage.py TRACE NEVER: a table of what gcovr has put together in TRACE, by file
and in all. The functions that nothing runs are written to NEVER.
"""
import json
import sys


def share(counts):
    """How many of them were run: a number, the total, and a percentage."""
    run = sum(1 for count in counts if count)
    return f'{run:6} of {len(counts):6}{100 * run / len(counts):7.1f} %' if counts else ''


def row(name, lines, branches):
    print(f'{name:<34}{share(lines):>25}{share(branches):>25}'.rstrip())


def counts_of(file):
    lines = [line for line in file['lines'] if not line.get('gcovr/noncode')]
    branches = [branch['count'] for line in lines for branch in line['branches']]
    return [line['count'] for line in lines], branches


def never(files):
    """Functions of inline headers are in several objects: one that ran will do."""
    for file in files:
        for function in sorted(file.get('functions', []), key=lambda f: f['lineno']):
            if not function['execution_count']:
                yield f'{file["file"]}:{function["lineno"]}: {function["name"]}()'


def main(trace, output):
    with open(trace, encoding='utf-8') as source:
        files = sorted(json.load(source)['files'], key=lambda file: file['file'])
    total = [], []
    print(f'{"":<34}{"lines":>25}{"branches":>25}')
    for file in files:
        counts = counts_of(file)
        row(file['file'], *counts)
        for kind, more in zip(total, counts):
            kind.extend(more)
    row('total', *total)
    names = list(never(files))
    with open(output, 'w', encoding='utf-8') as target:
        target.writelines(f'{name}\n' for name in names)
    print(f'{len(names)} functions are never run: see {output}')


main(*sys.argv[1:])
