// SPDX-License-Identifier: MIT
/**
 * BND, IOC: how a call must end. The accepted ways are named one by one: "any error will do" would
 * let a driver pass that fails for the wrong reason.
 */
import type { Call, Finding, Outcome } from './observation.ts';
import { driverFinding, labFinding } from './wording.ts';

/**
 * The call failed with one of the accepted errors.
 * @param accepted errno names, for example `['EINVAL']`
 */
export function judgeErrno({ call, outcome }: Call, accepted: readonly string[]): Finding[] {
  if (accepted.length === 0) return [labFinding('evidence', `${call}: no accepted error was named`)];
  if (outcome === undefined) return [unanswered(call)];
  if (outcome.kind === 'error' && accepted.includes(outcome.errno)) return [];
  const rule = outcome.kind === 'success' ? 'must-fail' : 'errno';
  return [driverFinding(rule, `${call} ${describeOutcome(outcome)}, expected ${accepted.join(' or ')}`)];
}

/** The call succeeded. */
export function judgeSuccess({ call, outcome }: Call): Finding[] {
  if (outcome === undefined) return [unanswered(call)];
  if (outcome.kind === 'success') return [];
  return [driverFinding('must-succeed', `${call} ${describeOutcome(outcome)}, expected success`)];
}

/** How a call ended was not seen: that says nothing about the driver. */
export function unanswered(call: string): Finding {
  return labFinding('evidence', `${call}: how it ended was not recorded`);
}

/** `failed with EINVAL`. */
export function describeOutcome(outcome: Outcome): string {
  if (outcome.kind === 'success') return `succeeded and returned ${outcome.value}`;
  return outcome.kind === 'error' ? `failed with ${outcome.errno}` : `raised ${outcome.signal}`;
}
