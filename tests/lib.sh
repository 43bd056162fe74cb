# SPDX-License-Identifier: Apache-2.0
# What ./test, ./demo and tests/kernel61 share. Source it from bash with $root set to the checkout.

# The system's python3 and tools, whatever else is on the path.
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:$PATH" LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

say() {
	printf '%s\n' "$*"
}

need_root() {
	[ "$(id -u)" = 0 ] || {
		say "$(basename "$0"): needs root, for network namespaces and eBPF: run it with sudo" >&2
		exit 2
	}
}

# A mirror that fails for a moment is asked again; a machine that has just started may be installing its own updates.
apt_patience=(-o Acquire::Retries=5 -o DPkg::Lock::Timeout=120)

# apt_install PACKAGE…: packages of servers start them; on this machine itself none of them is to run.
apt_install() (
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		trap 'exit 130' INT TERM
		printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
	fi
	timeout -k 10 900 apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${apt_patience[@]}" "$@"
)

apt_update() {
	timeout -k 10 300 apt-get update -qq "${apt_patience[@]}"
}

# Installs what .ci/packages lists and is not there yet.
install_packages() {
	local wanted missing=() package
	mapfile -t wanted < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$root/.ci/packages")
	for package in "${wanted[@]}"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
	done
	[ ${#missing[@]} = 0 ] && return 0
	say "installing ${#missing[@]} packages: ${missing[*]}"
	apt_update || say "apt-get update failed: trying with the lists that are there" >&2
	# Once more: lists that were older than the mirror name packages that are not there any more.
	apt_install "${missing[@]}" >"${TMPDIR:-/tmp}/viaduct-apt.log" 2>&1 ||
		{ sleep 10 && apt_update && apt_install "${missing[@]}" >>"${TMPDIR:-/tmp}/viaduct-apt.log" 2>&1; } || {
		tail -n 20 "${TMPDIR:-/tmp}/viaduct-apt.log" >&2
		say "installing packages failed: apt-get install ${missing[*]}" >&2
		return 1
	}
}

# setup_tree DIRECTORY [meson options]: once.
setup_tree() {
	local directory=$1
	shift
	if [ ! -f "$root/$directory/build.ninja" ]; then
		rm -rf "${root:?}/$directory"
		meson setup "$root/$directory" "$root" "$@" >"$root/$directory.setup.log" 2>&1 || {
			cat "$root/$directory.setup.log" >&2
			return 1
		}
		rm -f "$root/$directory.setup.log"
	fi
}

# build_tree DIRECTORY [meson options]: sets it up once and brings it up to date.
build_tree() {
	setup_tree "$@" && ninja --quiet -C "$root/$1"
}
