# SPDX-License-Identifier: MIT
# Kills the rig's processes whose mark begins with $1. Every process that the rig starts carries
# BUFRIG_PROCESS=<its directory>/<number>/ in its environment, and so does whatever it forks.
# The shell reads the files itself, dropping their NULs: a fork per process would take seconds
# on an emulated machine.
sweep() {
	for process in /proc/[0-9]*; do
		while IFS= read -r line || [ -n "$line" ]; do
			case $line in
			*"BUFRIG_PROCESS=$1/"*)
				kill -KILL "${process#/proc/}"
				break
				;;
			esac
		done <"$process/environ"
	done 2>/dev/null
}
