# SPDX-License-Identifier: GPL-2.0-only
"""
netlink.py TREE: compares the netlink part of the UAPI header with the header
that the kernel's tools made of the specification, in TREE/generated.h, and the
specification with the driver's policies. Whatever only one of them says is
printed and makes it fail.
"""
import os
import re
import subprocess
import sys

import yaml

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEADER = os.path.join(TOP, 'kernel/uapi/linux/blktap.h')
DRIVER = os.path.join(TOP, 'kernel/netlink.c')
SPEC = os.path.join(TOP, 'Documentation/netlink/specs/blktap.yaml')

# Limits that both have; other constants belong to the rings alone.
SHARED = {'BLKTAP_ABI_VERSION', 'BLKTAP_MAX_MINORS', 'BLKTAP_MAX_DEPTH', 'BLKTAP_DEFAULT_DEPTH',
          'BLKTAP_DEFAULT_QUEUES', 'BLKTAP_MIN_IO', 'BLKTAP_MAX_IO', 'BLKTAP_DEFAULT_IO',
          'BLKTAP_MAX_SERIAL', 'BLKTAP_DEFAULT_HOLD_MS', 'BLKTAP_MAX_TIME_MS', 'BLKTAP_UUID_LEN'}
# What begins like this is netlink's, in either of the two.
OWNED = re.compile(r'(__)?BLKTAP_(GENL|F|CMD|A|ON_DEATH|ON_TIMEOUT|EVENT|DISK|RECOVERY)_')
# The first number of a C enumeration, and a name of nodes, are not the specification's.
ALONE = re.compile(r'BLKTAP_(CMD|A|EVENT)_UNSPEC$|BLKTAP_DISK_NAME$')

PRINTER = '''
#include "%s"
#include <stdio.h>
static void number(const char *name, long long value) { printf("%%s %%lld\\n", name, value); }
static void string(const char *name, const char *value) { printf("%%s \\"%%s\\"\\n", name, value); }
#define SHOW(x) _Generic((x), char *: string, default: number)(#x, x);
int main(void) { %s return 0; }
'''

bad = 0


def complain(text):
    global bad
    bad += 1
    print(text)


def compiler(*args, **kwargs):
    return subprocess.run(['gcc', '-I' + os.path.join(TOP, 'kernel/uapi'), *args],
                          check=True, text=True, stdout=subprocess.PIPE, **kwargs).stdout


def constants(header, tree):
    """All constants of a header with their values, as its compiler sees them."""
    defined = re.findall(r'^#define (BLKTAP_\w+) (?=.)', compiler('-E', '-dM', header), re.M)
    enums = re.findall(r'enum\s+\w*\s*{(.*?)}', compiler('-E', '-P', header), re.S)
    names = defined + [name for enum in enums for name in re.findall(r'(\w+)\s*(?:=[^,]*)?(?:,|$)', enum)]
    names = sorted({name for name in names if 'BLKTAP_IOC' not in name and 'SIZE' not in name
                    and re.match(r'_*BLKTAP_', name)})
    program = os.path.join(tree, 'constants')
    shows = ''.join('SHOW(%s)' % name for name in names)
    compiler('-x', 'c', '-', '-o', program, input=PRINTER % (header, shows))
    out = subprocess.run([program], check=True, text=True, stdout=subprocess.PIPE).stdout
    found = dict(line.split(' ', 1) for line in out.splitlines())
    return {name: value for name, value in found.items()
            if (OWNED.match(name) or name in SHARED) and not ALONE.match(name)}


def compare_constants(tree):
    header = constants(HEADER, tree)
    spec = constants(os.path.join(tree, 'generated.h'), tree)
    for name in sorted(header.keys() | spec.keys()):
        if name not in spec:
            complain('%s is in the header and not in the specification' % name)
        elif name not in header:
            complain('%s is in the specification and not in the header' % name)
        elif header[name] != spec[name]:
            complain('%s is %s in the header, %s in the specification' % (name, header[name], spec[name]))
    if len(header) < 60:
        complain('only %d constants were found in the header' % len(header))
    return len(header)


def c_name(prefix, name):
    return (prefix + name).upper().replace('-', '_')


def compare_types(attributes):
    """The header names the type of each attribute in a comment."""
    said = dict(re.findall(r'\t(BLKTAP_A_\w+),[ \t]*/\* (\w+)', open(HEADER).read()))
    for attribute in attributes:
        name = c_name('blktap-a-', attribute['name'])
        if attribute['type'] != said.get(name, 'pad'):
            complain('%s is %s in the header, %s in the specification' %
                     (name, said.get(name), attribute['type']))


def driver_policies():
    """Which attributes the driver takes with each command."""
    text = open(DRIVER).read()
    policies = {name: set(re.findall(r'\[(BLKTAP_A_\w+)\]\s*=', body)) for name, body in
                re.findall(r'struct nla_policy (\w+)\[[^\]]*\] = {(.*?)};', text, re.S)}
    return {cmd: policies[policy] for cmd, policy in
            re.findall(r'\.cmd\s*= (BLKTAP_CMD_\w+),.*?\.policy\s*= (\w+),', text, re.S)}


def compare_requests(operations):
    taken = driver_policies()
    for operation in operations:
        if 'event' in operation:
            continue
        command = c_name('blktap-cmd-', operation['name'])
        request = operation['do'].get('request', {}).get('attributes', [])
        request = {c_name('blktap-a-', name) for name in request}
        if command not in taken:
            complain('the driver has no policy for %s' % command)
        for name in sorted(request ^ taken.pop(command, set())):
            complain('%s: only one of the driver and the specification takes %s' % (command, name))
    for command in taken:
        complain('%s is in the driver and not in the specification' % command)


def main():
    count = compare_constants(sys.argv[1])
    with open(SPEC) as file:
        spec = yaml.safe_load(file)
    compare_types(spec['attribute-sets'][0]['attributes'])
    compare_requests(spec['operations']['list'])
    print('%d constants, %d differences' % (count, bad))
    sys.exit(1 if bad else 0)


main()
