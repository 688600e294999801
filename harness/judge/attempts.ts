// SPDX-License-Identifier: MIT
/** IOC, PRM, CAC: many calls whose ways of ending are one claim. */
import { judgeErrno, judgeSuccess } from './errno.ts';
import type { Attempt, Finding } from './observation.ts';
import { driverFinding, labFinding } from './wording.ts';

/** A wrong rule breaks hundreds of calls at once; the first ones tell which. */
const TOLD = 12;

/** Every call ended as it has to. A call that succeeds returns 0, or a descriptor where that is said. */
export function judgeAttempts(attempts: readonly Attempt[]): Finding[] {
  if (attempts.length === 0) return [labFinding('evidence', 'no call was made')];
  const findings = attempts.flatMap(judgeAttempt);
  if (findings.length <= TOLD) return findings;
  const rest = `${findings.length - TOLD} more of ${attempts.length} calls ended wrongly`;
  return [...findings.slice(0, TOLD), driverFinding('attempts', rest)];
}

function judgeAttempt(attempt: Attempt): Finding[] {
  const { outcome, accepted } = attempt;
  if (accepted === 'anything') return judgePresence(attempt);
  if (accepted !== 'success') return judgeErrno(attempt, accepted);
  if (outcome?.kind === 'success' && outcome.value !== 0) {
    return [driverFinding('return-value', `${attempt.call} returned ${outcome.value}, expected 0`)];
  }
  return judgeSuccess(attempt);
}

function judgePresence({ call, outcome }: Attempt): Finding[] {
  return outcome === undefined ? [labFinding('evidence', `${call}: how it ended was not recorded`)] : [];
}
