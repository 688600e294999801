// SPDX-License-Identifier: MIT
/** How much tests share: the words, and who may go on with what another test has used. */

import type { Target } from '../target/target.ts';

/** `test`: nothing; `file`: the tests of one file share a target; `worker`: all tests of a worker do. */
export const isolations = ['test', 'file', 'worker'] as const;
export type Isolation = (typeof isolations)[number];

/** What a result had, for the report: the level, and what its target was like at first. */
export function describeIsolation(isolation: Isolation, { origin }: Pick<Target, 'origin'>): string {
  const began = {
    restored: 'a guest restored from its saved state',
    booted: 'a guest booted for it',
    found: 'a machine that is up, the driver loaded anew',
  };
  return `${isolation}: ${began[origin ?? 'found']}`;
}

/** What a target is wanted for. */
export interface Occasion {
  isolation: Isolation;
  /** Path of the test's file. */
  file: string;
}

/** Whether `next` may go on with a target that was had for `before`. */
export function mayShare(before: Occasion, next: Occasion): boolean {
  if (before.isolation !== next.isolation || next.isolation === 'test') return false;
  return next.isolation === 'worker' || before.file === next.file;
}
