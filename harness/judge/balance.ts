// SPDX-License-Identifier: MIT
/** Every check: what was counted before is there afterwards, no more and no less. */
import type { Balance, Finding } from './observation.ts';
import { driverFinding, labFinding } from './wording.ts';

/** Every counter has the value that it had. */
export function judgeBalance({ what, before, after }: Balance): Finding[] {
  const names = Object.keys(before);
  if (names.length === 0) return [labFinding('evidence', `${what}: nothing was counted`)];
  return names.flatMap((name) => {
    const [from, to] = [before[name], after[name]];
    if (from === undefined || to === undefined || !Number.isFinite(from) || !Number.isFinite(to)) {
      return [labFinding('evidence', `${what}: ${name} was not counted both times`)];
    }
    if (from === to) return [];
    return [driverFinding('balance', `${what}: ${name} went from ${from} to ${to}`)];
  });
}
