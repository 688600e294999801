// SPDX-License-Identifier: MIT
/** Runs of the suite as the mutation campaign reads them. */
import type { RunReport } from '../../harness/mutation/judgement.ts';
import type { Red } from '../../harness/report/run-summary.ts';
import type { Verdict } from '../../harness/report/verdict.ts';

export function red(claim: string, verdict: Verdict, cause = `${claim} says so`): Red {
  const title = `fd-per-buffer › ${claim} a property`;
  const where = { project: 'qemu-arm64', target: 'qemu-arm64', location: 'x.spec.ts:1' };
  return { verdict, about: 'driver', claim, title, cause, ...where };
}

export function report(reds: readonly Red[], passed: readonly string[] = []): RunReport {
  return {
    summary: { colour: reds.length === 0 ? 'green' : 'driver', red: [...reds], errors: [] },
    coverage: passed.map((id) => ({ id, verdicts: { pass: 1 } })),
    said: 'the last line',
  };
}
