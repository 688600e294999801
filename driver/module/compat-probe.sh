#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Compiles each PROBE_* part of a C file and writes a header that says which
# ones the kernel's headers accept:
#
#   compat-probe.sh compat-probe.c compat-probed.h <compiler and its flags>
#
# A probe without any content has to compile, else nothing is known and the
# build stops with the compiler's words.
#
# Copyright (C) 2026 the bufrig authors
set -eu

source=$1
header=$2
shift 2

compiles() {
	"$@" -Werror -fsyntax-only -x c "$source"
}

compiles "$@" || {
	echo "compat-probe.sh: an empty probe does not compile; nothing can be probed" >&2
	exit 1
}

{
	echo "/* Written by compat-probe.sh for one kernel; do not edit. */"
	sed -n 's/^#ifdef PROBE_\([A-Z0-9_]*\)$/\1/p' "$source" | while read -r name; do
		if compiles "$@" "-DPROBE_$name" 2>/dev/null; then
			echo "#define HAVE_$name 1"
		else
			echo "/* HAVE_$name: no */"
		fi
	done
} >"$header.new"
mv "$header.new" "$header"
