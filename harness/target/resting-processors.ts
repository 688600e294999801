// SPDX-License-Identifier: MIT
/**
 * All processors of a machine but the first, which rest until something is to run beside something else.
 * Where a machine is emulated and the host has no processor for each of the machine's, one that holds a lock
 * has to stand still while another waits for the lock in a loop: measured on a host with two, the suite in two
 * guests of two processors each took 128 s of processor time, in guests of one 72 s. Waking and resting take
 * 40 ms each.
 */
import { Deadline } from '../deadline.ts';
import type { Target } from './target.ts';

/** Milliseconds on hardware; measured under emulation: 40 ms. */
const LIMIT = 10_000;

/** Kernel argument after which only the first is put to work (Documentation/admin-guide/kernel-parameters). */
export const REST_AT_BOOT = 'maxcpus=1';

/** Documentation/core-api/cpu_hotplug.rst. The first one may have such a file, too. */
const SCRIPT = 'for file in /sys/devices/system/cpu/cpu[1-9]*/online; do echo "$0" > "$file" || exit 1; done';

export class RestingProcessors {
  readonly #target: Pick<Target, 'execOk' | 'patience'>;
  /** Whoever wants them meanwhile waits for the same; kept when they are awake. */
  #waking: Promise<void> | undefined;
  #awake = false;

  /** @param target whose processors rest now */
  constructor(target: Pick<Target, 'execOk' | 'patience'>) {
    this.#target = target;
  }

  /** Puts them to work. @returns undefined where they are. @throws CommandFailed; LabError as by Target.exec */
  wake(): Promise<void> | undefined {
    if (this.#awake) return undefined;
    this.#waking ??= this.#putToWork();
    return this.#waking;
  }

  /** Takes them from work again; nothing is done where they rest. Not to be called while they are woken. */
  async rest(): Promise<void> {
    if (this.#waking === undefined) return;
    this.#waking = undefined;
    this.#awake = false;
    await this.#put('0');
  }

  async #putToWork(): Promise<void> {
    await this.#put('1');
    this.#awake = true;
  }

  async #put(online: '0' | '1'): Promise<void> {
    const deadline = Deadline.in(LIMIT * this.#target.patience);
    await this.#target.execOk(['sh', '-c', SCRIPT, online], { deadline });
  }
}
