# SPDX-License-Identifier: MIT
# Kills the rig's processes whose mark begins with $1. Every process that the rig starts carries
# BUFRIG_PROCESS=<its directory>/<number>/ in its environment, and so does whatever it forks.
# The shell reads the files itself, dropping their NULs: a fork per process would take seconds
# on an emulated machine. Whoever was killed gets ten seconds to go: only then nobody has its files any more.
sweep() {
	killed=
	for process in /proc/[0-9]*; do
		while IFS= read -r line || [ -n "$line" ]; do
			case $line in
			*"BUFRIG_PROCESS=$1/"*)
				kill -KILL "${process#/proc/}" && killed="$killed $process"
				break
				;;
			esac
		done <"$process/environ"
	done 2>/dev/null
	tries=0
	for process in $killed; do
		while [ $tries -lt 100 ] && is_there "$process"; do
			sleep 0.1 2>/dev/null || sleep 1
			tries=$((tries + 1))
		done
	done
}

# Not so a process that only waits for its parent to take note of its end.
is_there() {
	read -r state <"$1/stat" || return
	case $state in *") Z "*) return 1 ;; esac
} 2>/dev/null
