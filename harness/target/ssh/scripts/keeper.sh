# SPDX-License-Identifier: MIT
# Owns the rig's directory on the target, from making it to removing it. Follows sweep.sh.
# $1: where to make it   $2: KiB that must be free there
#
# It says ready=<directory>, or failed=<why> and the mounts, and then waits for its standard input
# to end. That happens when the rig is done, and also when the rig or the link dies. Then it kills
# what is left of the rig's processes, runs the file at-end in the directory if there is one, and
# removes the directory, after it has unmounted what is mounted there.
trap '' HUP INT TERM PIPE
umask 077
boot=$(cat /proc/sys/kernel/random/boot_id)

# Removes the directory $1. What is mounted in it goes first, the latest before what it lies on: rm would
# empty it, whoever's it is.
remove() {
	top=$1
	shift
	while read -r device point rest; do
		# Blanks and backslashes are told as \ooo (fs/proc_namespace.c: mangle), which is \0ooo to printf.
		case $point in
		*\\*) point=$(printf %b "$(printf %s "$point" | sed 's/\\/\\0/g')") ;;
		esac
		case $point in
		"$top"/*) set -- "$point" "$@" ;;
		esac
	done </proc/mounts
	for point in "$@"; do
		umount "$point" || umount -l "$point" || return
	done
	rm -rf "$top"
}

# What a rig leaves in $1: its processes, what at-end undoes, and the directory.
clean_up() {
	sweep "$1"
	if [ -f "$1/at-end" ]; then sh "$1/at-end"; fi
	remove "$1"
}

# Keepers that were killed, or whose target lost power, could not do it: owner tells the boot and the process.
for old in "$1"/bufrig.??????; do
	if [ -L "$old" ] || [ ! -O "$old" ] || [ ! -f "$old/owner" ]; then continue; fi
	read -r its_boot its_keeper <"$old/owner"
	if [ "$its_boot" = "$boot" ] && [ -d "/proc/$its_keeper" ]; then continue; fi
	if [ "$its_boot" = "$boot" ]; then clean_up "$old" >/dev/null 2>&1; else remove "$old"; fi
done

if ! dir=$(mktemp -d "$1/bufrig.XXXXXX"); then
	echo failed=create
	cat /proc/mounts
	exit 1
fi
refuse() {
	echo "failed=$1"
	cat /proc/mounts
	rm -rf "$dir"
	exit 1
}

# Renamed into place, so that no other keeper reads half of it.
{ echo "$boot $$" >"$dir/owner.new" && mv "$dir/owner.new" "$dir/owner"; } || refuse full
free=$(df -Pk "$dir" | { read -r heading; read -r device size used available rest; echo "$available"; })
echo "free=$free"
[ "${free:-$2}" -ge "$2" ] || refuse full

printf '#!/bin/sh\nexit 42\n' >"$dir/try" || refuse full
chmod 700 "$dir/try"
"$dir/try"
[ $? = 42 ] || refuse noexec
rm -f "$dir/try"

echo "ready=$dir"
exec >/dev/null 2>&1
cat
clean_up "$dir"
