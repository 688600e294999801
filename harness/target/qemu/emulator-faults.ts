// SPDX-License-Identifier: MIT
/** Complaints of a guest's kernel that the emulator brings about, whatever drivers do. */
import type { Complaint } from '../target.ts';

/**
 * A kernel that switches a static key puts an int3 where it changes its code, and takes it away when all
 * processors know (arch/x86/kernel/alternative.c: text_poke_bp_batch). A processor that translates the place
 * at that moment seems to keep the int3 for good (inferred, not proven); QEMU from 8.1 on locks the page first (accel/tcg/translate-all.c:
 * tb_gen_code). Seen with QEMU 7.2 and Linux 6.12, in crng_reseed and finish_task_switch. In a module an
 * int3 may be what the compiler puts behind a function's end, which only a defect runs into.
 * @returns why it is the emulator's, or undefined when it is not known to be
 */
export function emulatorsFault({ title, lines }: Complaint): string | undefined {
  const ran = lines.find((line) => line.startsWith('RIP: '));
  if (!/^Oops: int3\b/.test(title) || ran === undefined || ran.includes('[')) return undefined;
  return 'the emulator went on with an int3 that the kernel had put into its own code for a moment';
}
