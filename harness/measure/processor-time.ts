// SPDX-License-Identifier: MIT
/** How much processor time the programs of a run take: what no run can go below, however it is arranged. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** sysconf(_SC_CLK_TCK), 100 on every Linux there is (include/asm-generic/param.h: USER_HZ). */
const TICKS_PER_SECOND = 100;
/** Milliseconds between looks; what a process does after the last one before its end is not counted. */
const PERIOD = 100;

/** A process as /proc shows it. */
export interface ProcessLook {
  pid: number;
  parent: number;
  /** Start in clock ticks since boot: with the id, which may come round again, it says who it is. */
  begun: number;
  /** Name of its program's file. */
  program: string;
  /** Clock ticks in user mode and in the kernel, of all its threads. */
  ticks: number;
}

/** Adds up the processor time of a process and of all that come from it, by program. */
export class ProcessorTimes {
  readonly #root: number;
  readonly #timer: NodeJS.Timeout;
  /** By id and start; the last look at each. */
  readonly #seen = new Map<string, ProcessLook>();
  /** Ids of the family, those included that have ended: their children have another parent by then. */
  readonly #family = new Set<number>();

  /** @param root process id of the first of them */
  constructor(root: number) {
    this.#root = root;
    this.#family.add(root);
    this.#timer = setInterval(() => this.look(processes()), PERIOD);
  }

  /** Takes in who there is; called by itself while it runs. */
  look(now: readonly ProcessLook[]): void {
    // A parent has a lower id than its child, but where ids came round again.
    for (const one of now.toSorted((a, b) => a.begun - b.begun || a.pid - b.pid)) {
      const key = `${one.pid} ${one.begun}`;
      if (!this.#seen.has(key) && one.pid !== this.#root && !this.#family.has(one.parent)) continue;
      this.#family.add(one.pid);
      this.#seen.set(key, one);
    }
  }

  /** Ends the looking. @returns seconds by program, as in `qemu-system-aarch64` and `node` */
  stop(): Map<string, number> {
    clearInterval(this.#timer);
    const seconds = new Map<string, number>();
    for (const { program, ticks } of this.#seen.values()) {
      seconds.set(program, (seconds.get(program) ?? 0) + ticks / TICKS_PER_SECOND);
    }
    return seconds;
  }
}

function processes(): ProcessLook[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return [lookFrom(stat, basename(readlinkSync(`/proc/${pid}/exe`)))];
      } catch {
        return []; // It has ended, or is somebody else's.
      }
    });
}

/** @param stat of proc(5), /proc/pid/stat: the name in parentheses may hold anything, so count from the last one */
export function lookFrom(stat: string, program: string): ProcessLook {
  const fields = stat.replace(/^.*\)/s, '').trim().split(' ').map(Number);
  const [parent = 0, user = 0, kernel = 0, begun = 0] = [1, 11, 12, 19].map((place) => fields[place]);
  return { pid: Number.parseInt(stat, 10), parent, begun, program, ticks: user + kernel };
}
