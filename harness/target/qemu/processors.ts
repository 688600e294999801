// SPDX-License-Identifier: MIT
/**
 * What a guest's processors are at, read off QEMU's `info registers -a`: a kernel that hangs where
 * nobody can interrupt it, told from one that is well and cannot be reached. Pure.
 */

/** One look at all processors. */
export interface Look {
  /** The answer of QEMU's monitor. */
  registers: string;
  /** Whether the thread of each processor, by its number, ran or waited for a processor of the host. */
  running: readonly boolean[];
}

interface State {
  kernel: boolean;
  interruptible: boolean;
  /** Hexadecimal. */
  place: string;
}

/** QEMU target/arm/cpu.c arm_cpu_dump_state, target/i386/cpu-dump.c x86_cpu_dump_state. */
const dialects: readonly { place: RegExp; flags: RegExp; state: (flags: string) => Omit<State, 'place'> }[] =
  [
    {
      // PSTATE: exception level in bits 3 and 2, I in bit 7.
      place: /\bPC=([0-9a-f]{16})/,
      flags: /\bPSTATE=([0-9a-f]{8})/,
      state: (flags) => ({
        kernel: ((Number.parseInt(flags, 16) >> 2) & 3) > 0,
        interruptible: (Number.parseInt(flags, 16) & 0x80) === 0,
      }),
    },
    {
      // CPSR: mode in the five lowest bits, 0x10 is user; I in bit 7.
      place: /\bR15=([0-9a-f]{8})/,
      flags: /\bPSR=([0-9a-f]{8})/,
      state: (flags) => ({
        kernel: (Number.parseInt(flags, 16) & 0x1f) !== 0x10,
        interruptible: (Number.parseInt(flags, 16) & 0x80) === 0,
      }),
    },
    {
      // IF is bit 9 of the flags; a halted processor with interrupts on is idle.
      place: /\b[ER]IP=([0-9a-f]+)/,
      flags: /\b[ER]FL=([0-9a-f]{8} .*CPL=\d)/,
      state: (flags) => ({
        kernel: flags.endsWith('CPL=0'),
        interruptible: (Number.parseInt(flags, 16) & 0x200) !== 0,
      }),
    },
  ];

/**
 * @param looks several, some time apart
 * @returns whether a processor hangs: always in the kernel, never interruptible, and never at rest. An
 *   idle one is not interruptible either on arm (arch/arm64/kernel/idle.c), but its thread sleeps, however
 *   busy the host is.
 */
export function judgeProcessors(looks: readonly Look[]): { hangs: boolean; found: string } {
  const seen = looks.map(({ registers }) => statesIn(registers));
  const lines: string[] = [];
  let hangs = false;
  for (const number of looks[0]?.running.keys() ?? []) {
    const states = seen.flatMap((one) => one[number] ?? []);
    const stuck = states.filter(({ kernel, interruptible }) => kernel && !interruptible).length;
    const working = looks.filter(({ running }) => running[number] === true).length;
    const hung = looks.length > 1 && stuck === looks.length && working === looks.length;
    hangs ||= hung;
    const places = [...new Set(states.map(({ place }) => `0x${place}`))].slice(0, 3).join(' ');
    lines.push(
      `processor ${number} ${hung ? 'hangs' : 'does not'}: of ${looks.length} looks, in ${stuck} it was in the ` +
        `kernel with interrupts off, in ${working} at work; at ${places}`,
    );
  }
  return { hangs, found: lines.join('\n') };
}

/** By the processor's number. */
function statesIn(registers: string): (State | undefined)[] {
  const states: (State | undefined)[] = [];
  for (const part of registers.split(/^CPU#/m).slice(1)) states[Number.parseInt(part, 10)] = stateIn(part);
  return states;
}

function stateIn(text: string): State | undefined {
  for (const { place, flags, state } of dialects) {
    const where = place.exec(text)?.[1];
    const how = flags.exec(text)?.[1];
    if (where !== undefined && how !== undefined) return { place: where, ...state(how) };
  }
  return undefined;
}
