// SPDX-License-Identifier: MIT
/**
 * BND-05, CAC-08: a range given as numbers to an ioctl is accepted when it lies inside the buffer,
 * mathematically, and only then. Kernel arithmetic wraps at 64 bits; this does not.
 */
import { judgeErrno, judgeSuccess } from './errno.ts';
import type { Finding, RangeAttempt } from './observation.ts';
import { labFinding } from './wording.ts';

/** @param refused the errors for a range that does not */
export function judgeRanges(attempts: readonly RangeAttempt[], refused: readonly string[]): Finding[] {
  const inside = attempts.filter(isInside).length;
  if (inside === 0 || inside === attempts.length) {
    return [labFinding('evidence', 'ranges both inside and outside of the buffer are needed')];
  }
  return attempts.flatMap((attempt) =>
    isInside(attempt) ? judgeSuccess(attempt) : judgeErrno(attempt, refused),
  );
}

function isInside({ bufferBytes, offset, length }: RangeAttempt): boolean {
  const [at, bytes] = [BigInt(offset), length === undefined ? 1n : BigInt(length)];
  return bytes > 0n && at + bytes <= BigInt(bufferBytes);
}
