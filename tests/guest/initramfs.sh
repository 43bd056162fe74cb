# SPDX-License-Identifier: Apache-2.0
# Debian's cloud kernel and an initramfs of busybox and what is added, for machines that qemu boots. Source it from bash with $scratch
# (a directory) set; what it sets: $kernel (a directory with boot/ and lib/modules/), $version, $tree.

cache=${VIADUCT_CACHE:-/var/cache/viaduct/kernel61}

kernel_download() {
	timeout -k 10 300 apt-get -qq -o APT::Sandbox::User=root "${apt_patience[@]}" download "$1"
}

# The newest 6.1 cloud kernel that apt knows, unpacked into the cache: prints its directory.
kernel_fetch() {
	local package
	package=$(apt-cache search --names-only '^linux-image-6\.1\.0-[0-9]+-cloud-amd64$' | awk '{ print $1 }' | sort -V | tail -n 1)
	if [ -z "$package" ]; then
		apt_update
		package=$(apt-cache search --names-only '^linux-image-6\.1\.0-[0-9]+-cloud-amd64$' | awk '{ print $1 }' | sort -V | tail -n 1)
	fi
	[ -n "$package" ] || {
		say "apt knows no linux-image-6.1.0-*-cloud-amd64: is this Debian 12?" >&2
		return 1
	}
	if [ ! -f "$cache/$package/done" ]; then
		mkdir -p "$cache"
		rm -rf "${cache:?}/$package"
		mkdir "$cache/$package"
		(cd "$scratch" && { kernel_download "$package" || { apt_update && kernel_download "$package"; }; } >&2)
		dpkg -x "$scratch"/linux-image-*.deb "$cache/$package"
		depmod -b "$cache/$package" "${package#linux-image-}"
		touch "$cache/$package/done"
	fi
	say "$cache/$package"
}

# program_add FILE [NAME]: into the initramfs, with the libraries that it needs.
program_add() {
	install -D "$1" "$tree/bin/${2:-$(basename "$1")}"
	local library
	# A static program has none: ldd fails, grep finds nothing.
	{ ldd "$1" 2>/dev/null || true; } | { grep -oE '/[^ )]+' || true; } | while read -r library; do
		[ -e "$tree$library" ] || install -D "$(readlink -f "$library")" "$tree$library"
	done
}

# modules_add MODULE…: with what they depend on. Once.
modules_add() {
	local module file
	for module in "$@"; do
		modprobe -d "$kernel" -S "$version" --show-depends "$module" | awk '$1 == "insmod" { print $2 }' | while read -r file; do
			[ -e "$tree${file#"$kernel"}" ] || install -D -m 644 "$file" "$tree${file#"$kernel"}"
		done
	done
	cp "$kernel/lib/modules/$version"/modules.{dep,alias,symbols,builtin,order} "$tree/lib/modules/$version/" 2>/dev/null || true
	depmod -b "$tree" "$version" 2>/dev/null
}

tree_begin() {
	kernel=$(kernel_fetch)
	version=${kernel##*/linux-image-}
	tree=$scratch/tree
	mkdir -p "$tree"/{bin,proc,sys,dev,run,tmp,etc,root}
	program_add /bin/busybox
}

# tree_pack FILE
tree_pack() {
	(cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$1"
}
