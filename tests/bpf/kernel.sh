#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the tests of the data plane on Linux 6.1, the oldest kernel that Viaduct promises: boots Debian's cloud kernel in
# qemu-system-x86_64 (tcg: slow, needs no KVM) with an initramfs of the test programs and what they link to.
#   tests/bpf/kernel.sh BUILD_DIRECTORY
# Needs: qemu-system-x86, busybox, dash, iproute2, apt-get (for the kernel, kept in BUILD_DIRECTORY/kernel). Exit 0: all passed.
set -euo pipefail

build=$(realpath "$1")
work="$build/kernel"
root="$work/root"
mkdir -p "$work"

fetch_kernel() {
	local package
	[ -e "$work/tree/boot" ] && return
	package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-6\.1\.[^ ]*\)/\1/p' | head -1)
	(cd "$work" && apt-get -qq download "$package" && dpkg -x "$package"_*.deb tree)
}

make_root() {
	local file library
	rm -rf "$root"
	mkdir -p "$root"/{bin,tests,proc,sys,dev,tmp}
	cp "$(command -v busybox)" "$root/bin/busybox"
	for file in mount insmod poweroff; do
		ln -s busybox "$root/bin/$file"
	done
	# Not busybox's: its shell prefers an ip of its own, which cannot make veth pairs.
	cp /bin/dash "$root/bin/sh"
	cp "$(readlink -f "$(command -v ip)")" "$root/bin/ip"
	find "$build/tests/bpf" -maxdepth 1 -type f -name 'test_bpf_*' -executable -exec cp {} "$root/tests" \;
	for file in "$root"/tests/* "$root/bin/ip" "$root/bin/sh"; do
		for library in $(ldd "$file" | grep -o '/[^ ]*'); do
			mkdir -p "$root$(dirname "$library")"
			cp -L "$library" "$root$library"
		done
	done
	find "$work/tree/lib/modules" -name veth.ko -exec cp {} "$root" \;
	cat >"$root/init" <<-'EOF'
		#!/bin/sh
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev
		insmod /veth.ko
		failed=0
		for test in /tests/*; do
			echo "== $test"
			$test || failed=1
		done
		[ $failed = 0 ] && echo "VIADUCT TESTS PASSED"
		poweroff -f
	EOF
	chmod +x "$root/init"
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd.gz"
}

fetch_kernel
make_root
timeout 600 qemu-system-x86_64 -accel tcg -m 1024 -nographic -no-reboot -kernel "$work"/tree/boot/vmlinuz-* -initrd "$work/initrd.gz" \
	-append "console=ttyS0 quiet panic=-1" </dev/null | tee "$work/log"
grep -q "VIADUCT TESTS PASSED" "$work/log"
