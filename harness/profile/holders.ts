// SPDX-License-Identifier: MIT
/**
 * Who on the target uses the driver: the processes that have its files open or mapped. A module that is
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

/** $@: what is looked for in the files that processes have open or mapped. */
const LOOK = `for process in /proc/[0-9]*; do
	[ "$process" = "/proc/$$" ] && continue
	for word in "$@"; do
		{ ls -l "$process/fd"; cat "$process/maps"; } 2>/dev/null | grep -qF -e "$word" || continue
		echo "process \${process#/proc/}"
		grep -e ^State: -e ^SigPnd: -e ^ShdPnd: "$process/status" 2>/dev/null
		echo "command $(tr '\\0' ' ' <"$process/cmdline" 2>/dev/null)"
		break
	done
done`;

/** @throws LabError when the target cannot be asked */
export async function holdersOf(
  target: Target,
  { device, module }: Pick<DriverProfile, 'device' | 'module'>,
  deadline: Deadline,
): Promise<Holder[]> {
  // Also its files in debugfs and sysfs, and dma-bufs, whoever exported them.
  const words = [device, '/dmabuf:', ...(module === undefined ? [] : [`/${module.name}/`])];
  const { stdout } = await target.exec(['sh', '-c', LOOK, 'sh', ...words], { deadline });
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
