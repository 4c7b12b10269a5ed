#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A read into so many pieces of memory that the device below cannot do it, whose commands have
# few of them: that is the fault of who reads. He gets what he wants or is refused, and nobody
# loses an extent.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl scattered

modprobe -q nvme || [ -d /sys/module/nvme ] || skip_all "needs the driver of NVMe disks"
NVME=/dev/nvme0n1
wait_for 10 test -b "$NVME" || skip_all "needs an NVMe disk"
[ "$(cat /sys/block/nvme0n1/queue/max_segments)" -lt 8 ] || skip_all "needs one with less than 8 pieces in a command"

reads() { dd if="$DISK" of=/dev/null bs=4k count=40 iflag=direct; }
create -a "aio:$NVME" --kernel-io=auto
must reads
check "extents are in use" moves auto 39
adopt scattered "$DISK"
must reads
check "they still are" moves auto 79
same "none was lost" 1 "$(tap_value "$MINOR" extents)"
check "destroy" destroy

finish
