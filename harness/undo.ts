// SPDX-License-Identifier: MIT
/**
 * What has to be undone, noted before it is done, and undone in reverse. Every step is attempted;
 * the first error is thrown and the others are told with it.
 */
import { LabError, messageOf } from './errors.ts';

export class Undo {
  #steps: { what: string; step: () => Promise<void> | void }[] = [];

  /** @param what for the message, as in "remove the run folder" */
  add(what: string, step: () => Promise<void> | void): void {
    this.#steps.push({ what, step });
  }

  /** Undoes everything noted so far; a second call has nothing to do. @throws LabError `CLEAN_UP` */
  async run(): Promise<void> {
    const failures: string[] = [];
    let cause: unknown;
    for (const { what, step } of this.#steps.splice(0).toReversed()) {
      try {
        await step();
      } catch (error) {
        cause ??= error;
        failures.push(`could not ${what}: ${messageOf(error)}`);
      }
    }
    if (failures.length > 0) throw new LabError('CLEAN_UP', failures.join('\n'), { cause });
  }

  /**
   * Runs `work`; if it throws, undoes everything and throws what it threw, with what went wrong
   * while undoing told behind it.
   */
  async onFailure<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.run().catch((undoing: unknown) => {
        if (error instanceof Error) error.message += `\nand then ${messageOf(undoing)}`;
      });
      throw error;
    }
  }
}
