# SPDX-License-Identifier: GPL-2.0-only
# Running one virtual machine. Its exit status comes through a port of its
# own, so that a crash cannot look like a pass.
# shellcheck shell=bash

GUEST_DIED=125
# How often a machine is booted that dies before its script begins. Nothing of
# this project runs until then, and an emulator that translates code while
# another processor patches it (QEMU before 8.1) lets one boot in some
# thousands end with "Oops: int3".
BOOTS=3

# accelerator: KVM where it works, which /dev/kvm alone does not tell.
accelerator() {
	if grep -qE '^flags.*\b(vmx|svm)\b' /proc/cpuinfo && kvm_works; then
		echo -accel kvm -cpu host
	else
		echo -accel tcg,thread=multi -cpu max,la57=off,erms=off,fsrm=off
	fi
}

kvm_works() {
	[ -w /dev/kvm ] || return 1
	echo quit | timeout 10 qemu-system-x86_64 -accel kvm -nodefaults -display none -S -monitor stdio >/dev/null 2>&1
}

# machine_lock: virtual machines of all users queue up, for they would only
# slow each other down until time-outs expire.
machine_lock() {
	exec {machine_fd}>>"${BLKTAP_VM_LOCK:-/run/lock/blktap-vm.lock}"
	if ! flock -n "$machine_fd"; then
		note "waiting for another VM"
		flock -w 7200 "$machine_fd" || die "another virtual machine has been running for two hours"
	fi
}

# machine_files DIR KERNEL: what one run needs beside its payload.
machine_files() {
	local dir=$1 kernel=$2
	(cd "$TOP/scripts/guest" && echo init | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$dir/init.cpio.gz"
	cat "$(kernel_dir "$kernel")/boot.cpio.gz" "$dir/init.cpio.gz" >"$dir/initrd"
	truncate -s "${disk:-4G}" "$dir/scratch"
	mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 -O ^resize_inode "$dir/scratch"
	mkfifo "$dir/output"
}

# machine_command DIR KERNEL: fills the array of that name.
machine_command() {
	local dir=$1 kernel=$2 append serial
	# Debian's kernels clear memory for those who forget to.
	append="console=ttyS0 loglevel=5 panic=-1 oops=panic net.ifnames=0 tsc=nowatchdog init_on_alloc=0 ${append_extra:-}"
	! is_watching "$kernel" || append+=" pci=noacpi"
	# shellcheck disable=SC2207,SC2054 # words, none of which holds a space; commas are QEMU's
	machine_command=(qemu-system-x86_64 $(accelerator) -smp "$cpus" -m "$memory"
		-nodefaults -no-user-config -display none -no-reboot
		-kernel "$(kernel_dir "$kernel")/vmlinuz" -initrd "$dir/initrd" -append "$append"
		-chardev "file,id=log,path=$dir/kernel.log" -serial chardev:log
		-object rng-random,filename=/dev/urandom,id=rng -device virtio-rng-pci,rng=rng
		-device virtio-serial-pci
		-chardev "file,id=verdict,path=$dir/verdict" -device virtserialport,chardev=verdict,name=verdict
		-chardev "file,id=files,path=$dir/files" -device virtserialport,chardev=files,name=files)
	for serial in rootfs modules payload; do
		machine_command+=(-drive "file=$(image_of "$serial" "$dir" "$kernel"),format=raw,if=none,id=$serial,readonly=on"
			-device "virtio-blk-pci,drive=$serial,serial=$serial")
	done
	# shellcheck disable=SC2054
	machine_command+=(-drive "file=$dir/scratch,format=raw,if=none,id=scratch,cache=unsafe,discard=unmap"
		-device virtio-blk-pci,drive=scratch,serial=scratch)
	# Zeroes, 16 MiB of them, in commands of at most 8 KiB and three pieces of memory.
	# shellcheck disable=SC2054
	machine_command+=(-blockdev driver=null-co,node-name=zeroes,size=16777216,read-zeroes=on
		-device nvme,drive=zeroes,serial=zeroes,mdts=1)
	# shellcheck disable=SC2054
	if [ -n "${interactive:-}" ]; then
		machine_command+=(-chardev stdio,id=terminal,mux=on,signal=off
			-device virtconsole,chardev=terminal -mon chardev=terminal)
	else
		machine_command+=(-chardev "file,id=output,path=$dir/output"
			-device virtserialport,chardev=output,name=output)
	fi
}

image_of() {
	case $1 in
	rootfs) echo "$(guest_dir)/rootfs.squashfs" ;;
	modules) echo "$(kernel_dir "$3")/modules.squashfs" ;;
	payload) echo "$2/payload.tar" ;;
	esac
}

# machine_run DIR KERNEL TIMEOUT: boots it; returns the status of its script.
machine_run() {
	local status=0 boot
	for ((boot = 1; ; boot++)); do
		status=0
		machine_boot "$@" || status=$?
		if [ "$status" -ne $GUEST_DIED ] || [ $boot -ge $BOOTS ] || grep -q '^begin$' "$1/verdict"; then
			return "$status"
		fi
		note "it died before its script began; booting it again"
	done
}

machine_boot() {
	local dir=$1 kernel=$2 limit=$3 status=0
	machine_command "$dir" "$kernel"
	: >"$dir/verdict"
	if [ -n "${interactive:-}" ]; then
		"${machine_command[@]}" || status=$?
	else
		cat "$dir/output" &
		timeout --foreground -k 10 "$limit" "${machine_command[@]}" </dev/null || status=$?
		wait $! || true
	fi
	machine_verdict "$dir" "$status" "$limit"
}

machine_verdict() {
	local dir=$1 status=$2 limit=$3
	if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
		note "the virtual machine was stopped after $limit s; the end of its kernel log:"
	elif grep -q '^exit [0-9]*$' "$dir/verdict" 2>/dev/null; then
		return "$(sed -n 's/^exit //p' "$dir/verdict")"
	else
		note "the virtual machine died without a verdict; the end of its kernel log:"
		status=$GUEST_DIED
	fi
	tail -n 200 "$dir/kernel.log" >&2
	return "$status"
}
