# SPDX-License-Identifier: MIT
# What a machine is, as lines of key=value. POSIX sh and busybox.
# $1: a kernel build tree to look for; empty for the usual place.
release=$(uname -r)
echo "uid=$(id -u)"
echo "release=$release"
echo "machine=$(uname -m)"
echo "boot=$(cat /proc/sys/kernel/random/boot_id)"

page=$(getconf PAGESIZE 2>/dev/null)
if [ -z "$page" ]; then
	# busybox has no getconf; the kernel gives the page size of every mapping, in KiB.
	page=$(sed -n '/^KernelPageSize:/{s/[^0-9]//g;p;q;}' /proc/self/smaps 2>/dev/null)
	[ -z "$page" ] || page=$((page * 1024))
fi
echo "page=$page"

for file in /proc/device-tree/model /sys/class/dmi/id/product_name; do
	if [ -r "$file" ]; then
		echo "model=$(tr -d '\000' <"$file")"
		break
	fi
done
echo "version=$(cat /proc/version)"
echo "path=$PATH"

tree=${1:-/lib/modules/$release/build}
echo "tree=$tree"
if [ -e "$tree/Makefile" ]; then echo treeFound=yes; fi
if command -v make >/dev/null; then echo make=yes; fi
if command -v gcc >/dev/null || command -v cc >/dev/null; then echo compiler=yes; fi
