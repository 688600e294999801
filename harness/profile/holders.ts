// SPDX-License-Identifier: MIT
/**
 * Who on the target uses the driver: the processes that have its files or dma-bufs open or mapped. A module that is
 * held by a living process nobody asked for is the lab's affair; one that is held by none, or by a process
 * that was killed and cannot end, is the driver's.
 */
import type { Deadline } from '../deadline.ts';
import type { Target } from '../target/target.ts';
import type { DriverProfile } from './profile.ts';

export interface Holder {
  pid: number;
  /** As ps(1) shows it. */
  command: string;
  /** It goes on, and could let go: it is neither dead, nor killed already, nor stuck in the kernel. */
  living: boolean;
}

/** Where the kernel shows who has what. */
const SHOWN = { processes: '/proc', dmaBufs: '/sys/kernel/debug/dma_buf/bufinfo' };

/**
 * $1: where processes are listed; $2: the list of all dma-bufs; $3: what the driver's dma-bufs call their exporter; the
 * rest is for grep, which looks for it in the names of files that a process has open or mapped.
 *
 * A dma-buf has the same name whoever exported it, and a desktop is full of them. One that is open tells its exporter
 * itself, one that is only mapped through the number of its inode in the list (drivers/dma-buf/dma-buf.c:
 * dma_buf_show_fdinfo, dma_buf_debug_show). Where that cannot be read nobody knows whose it is, and it counts: the driver
 * is not to blame for what it may not have done.
 */
const LOOK = `processes=$1 list=$2 exporter=$3
shift 3
tab=$(printf '\\t')
maps_its_dma_buf() {
	sed -n 's|^\\([^ ]* \\)\\{4\\}\\([0-9]*\\) */dmabuf:.*|\\2|p' "$1/maps" 2>/dev/null | sort -u | (
		while read -r inode; do
			grep -qF -e "$tab$exporter$tab$(printf %08d "$inode")$tab" "$list" 2>/dev/null
			[ $? -eq 1 ] || exit 0
		done
		exit 1
	)
}
for process in "$processes"/[0-9]*; do
	[ "$process" = "$processes/$$" ] && continue
	{ ls -l "$process/fd"; cat "$process/maps"; } 2>/dev/null | grep -qF "$@" ||
		grep -qxF -e "exp_name:$tab$exporter" "$process"/fdinfo/* 2>/dev/null ||
		maps_its_dma_buf "$process" || continue
	echo "process \${process##*/}"
	grep -e ^State: -e ^SigPnd: -e ^ShdPnd: "$process/status" 2>/dev/null
	echo "command $(tr '\\0' ' ' <"$process/cmdline" 2>/dev/null)"
done`;

/** @throws LabError when the target cannot be asked */
export async function holdersOf(
  target: Pick<Target, 'exec'>,
  {
    name,
    device,
    module,
    exporterName = name,
  }: Pick<DriverProfile, 'name' | 'device' | 'module' | 'exporterName'>,
  deadline: Deadline,
  { processes, dmaBufs } = SHOWN,
): Promise<Holder[]> {
  // Also its files in debugfs and sysfs.
  const words = [device, ...(module === undefined ? [] : [`/${module.name}/`])];
  const patterns = words.flatMap((word) => ['-e', word]);
  const { stdout } = await target.exec(
    ['sh', '-c', LOOK, 'sh', processes, dmaBufs, exporterName, ...patterns],
    { deadline },
  );
  return readHolders(stdout);
}

/**
 * $1: where processes are listed. Flags are the seventh word behind the name (proc(5), stat); of them
 * PF_EXITING (linux/sched.h). A zombie has given back everything already.
 */
const LOOK_FOR_ENDING = `for process in "$1"/[0-9]*; do
	{ read -r line <"$process/stat"; } 2>/dev/null || continue
	set -- \${line##*) }
	[ "$1" != Z ] && [ "$1" != X ] && [ $(($7 & 4)) -ne 0 ] && echo "\${process##*/}"
done; :`;

/**
 * Processes that are on their way out and still give back what they had: the more mappings, the longer.
 * @throws LabError when the target cannot be asked
 */
export async function endingProcesses(
  target: Pick<Target, 'execOk'>,
  deadline: Deadline,
  processes = '/proc',
): Promise<number[]> {
  const { stdout } = await target.execOk(['sh', '-c', LOOK_FOR_ENDING, 'sh', processes], { deadline });
  return stdout.split('\n').filter(Boolean).map(Number);
}

/** Reads what the script says. */
export function readHolders(said: string): Holder[] {
  return said
    .split(/^process /m)
    .slice(1)
    .map((text) => ({
      pid: Number.parseInt(text, 10),
      command: /^command (.*)$/m.exec(text)?.[1]?.trim() ?? '',
      living: isLiving(text),
    }));
}

/** proc(5): the letter of the state; signals that wait for it, SIGKILL is the ninth bit. */
function isLiving(status: string): boolean {
  const state = /^State:\s*(\w)/m.exec(status)?.[1];
  const killed = [...status.matchAll(/^S(?:ig|hd)Pnd:\s*([0-9a-f]+)/gm)].some(
    ([, bits = '0']) => (BigInt(`0x${bits}`) & 0x100n) !== 0n,
  );
  return state !== undefined && !'DXZ'.includes(state) && !killed;
}

/** For messages: who holds it, of those who could let go. */
export function describeHolders(holders: readonly Holder[]): string {
  return holders
    .filter(({ living }) => living)
    .map(({ pid, command }) => `process ${pid} (${command})`)
    .join(', ');
}
