// SPDX-License-Identifier: MIT
/** Many calls with many ways of ending, judged in one go: truth tables, models, sweeps. */
import { describeOutcome, unanswered } from './errno.ts';
import type { Expectation, Finding, Outcome } from './observation.ts';
import { driverFinding, labFinding } from './wording.ts';

/** So many deviations are spelled out; the rest is counted. */
const SPELLED_OUT = 12;

/** Every call ended in a way that was accepted for it. */
export function judgeExpectations(calls: readonly Expectation[]): Finding[] {
  if (calls.length === 0) return [labFinding('evidence', 'no call was observed')];
  const findings = calls.flatMap(judgeOne);
  if (findings.length <= SPELLED_OUT) return findings;
  const rest = findings.slice(SPELLED_OUT);
  // Of what is only counted, the driver's part must not be taken for the lab's.
  const worst = rest.find(({ blame }) => blame === 'driver') ?? rest[0];
  const more = `and ${rest.length} more of ${calls.length} calls, for example:\n${worst?.message}`;
  return [...findings.slice(0, SPELLED_OUT), { ...(worst as Finding), message: more }];
}

function judgeOne({ call, outcome, accepted }: Expectation): Finding[] {
  if (accepted.length === 0) return [labFinding('evidence', `${call}: no accepted ending was named`)];
  if (outcome === undefined) return [unanswered(call)];
  if (accepted.includes(nameOf(outcome))) return [];
  const rule =
    outcome.kind === 'success' ? 'must-fail' : accepted.includes('success') ? 'must-succeed' : 'ending';
  return [driverFinding(rule, `${call} ${describeOutcome(outcome)}, expected ${accepted.join(' or ')}`)];
}

function nameOf(outcome: Outcome): string {
  if (outcome.kind === 'success') return 'success';
  return outcome.kind === 'error' ? outcome.errno : outcome.signal;
}
