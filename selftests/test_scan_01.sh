#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Partition tables that make no sense: the disk is there all the same, serves, and goes.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq
log_expect_errors
log_expect ' tapdev[0-9]+:|GPT|partition table|extends beyond EOD|EBR|invalid|truncated'

MIB=16

# as_bytes HEX
as_bytes() {
	local text i
	for ((i = 0; i < ${#1}; i += 2)); do
		text+="\\x${1:i:2}"
	done
	# shellcheck disable=SC2059 # escapes are all that it is
	printf "$text"
}

# bytes HEX OFFSET: into the image.
bytes() { as_bytes "$1" | dd of="$IMAGE" bs=1 seek="$2" conv=notrunc status=none; }

# number VALUE BYTES: in hexadecimal, the least byte first.
number() {
	local value=$1 i
	for ((i = 0; i < $2; i++)); do
		printf '%02x' $((value >> 8 * i & 255))
	done
}

# partition TYPE START LENGTH: as a table has it, in sectors.
partition() { echo "00000000${1}000000$(number "$2" 4)$(number "$3" 4)"; }

# entry SLOT TYPE START LENGTH [SECTOR]: of a table of four, in sectors.
entry() {
	bytes "$(partition "${@:2:3}")" $(((${5-0}) * 512 + 446 + $1 * 16))
	bytes 55aa $(((${5-0}) * 512 + 510))
}

# What is in the tables of the images that follow.
beyond_the_end() {
	entry 0 83 2048 4294967295
	entry 1 83 4294967295 4294967295
	entry 2 83 $((MIB * 4096)) 8
}

one_above_the_other() {
	entry 0 83 1 1000
	entry 1 83 2 1000
	entry 2 83 0 30000
	entry 3 ee 1 4294967295
}

in_a_circle() {
	entry 0 05 64 10000
	entry 0 83 1 10 64
	entry 1 05 0 10000 64
}

# Longer than the kernel follows.
long_chain() {
	local i zeros
	zeros=$(printf '\\x00%.0s' {1..446})
	entry 0 05 64 30000
	for ((i = 0; i < 110; i++)); do
		# shellcheck disable=SC2059 # as above
		printf "$zeros"
		as_bytes "$(partition 83 1 1)$(partition 05 $((i + 1)) 30000)"
		# shellcheck disable=SC2059 # as above
		printf "${zeros:0:128}\x55\xaa"
	done | dd of="$IMAGE" bs=512 seek=64 conv=notrunc iflag=fullblock status=none
}

# A header whose entries are countless, of any size, and elsewhere.
lying_gpt() {
	entry 0 ee 1 4294967295
	bytes "4546492050415254$(number 65536 4)$(number 4294967295 4)" 512
	bytes "$(number 18446744073709551615 8)$(number 18446744073709551615 8)" $((512 + 24))
	bytes "$(number 2 8)$(number 4294967295 4)$(number 4294967295 4)" $((512 + 72))
}

noise() {
	dd if=/dev/urandom of="$IMAGE" bs=1M count=1 conv=notrunc status=none
	bytes 55aa 510
	bytes 4546492050415254 512
}

for table in beyond_the_end one_above_the_other in_a_circle long_chain lying_gpt noise; do
	image "$table.img" ${MIB}M
	$table
	begin=$SECONDS
	create -a "aio:$IMAGE"
	check "$table: there at once" [ $((SECONDS - begin)) -le $((15 * SLOWNESS)) ]
	check "$table: the bytes are those of the image" cmp "$DISK" "$IMAGE"
	check "$table: it can be scanned again" timeout $((15 * SLOWNESS)) sh -c "blockdev --rereadpt '$DISK' || [ \$? -eq 1 ]"
	check "$table: destroy" destroy
	check "$table: no partition is left" wait_for 10 sh -c '! grep -q "tapdev[0-9]*p" /proc/partitions'
done

finish
