#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Refusals, rights, dumps and events of the netlink family.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup nl_abuse

# Netlink itself remarks on malformed messages.
log_expect "netlink: .*nl_abuse"
adopt nl_abuse

finish
