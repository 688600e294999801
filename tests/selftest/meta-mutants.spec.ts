// SPDX-License-Identifier: MIT
/** Defects of the rig itself are judged right: noticed by a selftest that fails, and by nothing less. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@playwright/test';
import type { RunReport } from '../../harness/mutation/judgement.ts';
import { judgeMeta, metaMutantsIn, parseMetaMutant } from '../../harness/mutation/meta.ts';
import type { Verdict } from '../../harness/report/verdict.ts';
import { DIFF } from './described-mutant.ts';
import { red, report } from './run-report.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const text = `M99 judge: any error will do.\nNoticed-by: judge-calls.spec.ts\n\n${DIFF}`;

test('a defect of the rig itself says which selftest has to notice it', () => {
  expect(parseMetaMutant('M99.diff', text)).toMatchObject({
    ...{ id: 'M99', kind: 'judge', what: 'any error will do.', noticedBy: 'judge-calls.spec.ts' },
  });
  expect(() => parseMetaMutant('M98.diff', text)).toThrow(/M98\.diff does not begin/);
  expect(() => parseMetaMutant('M99.diff', DIFF)).toThrow(/Try: begin with "M99 part/);
});

test('it is noticed by a test that fails, and by nothing less', () => {
  const mutant = { noticedBy: 'judge-calls.spec.ts' };
  expect(judgeMeta(mutant, rig('fail'))).toMatchObject({ outcome: 'killed', message: 'said' });
  expect(judgeMeta(mutant, rig('hang'))).toMatchObject({ outcome: 'infra', message: 'hang: said' });
  expect(judgeMeta(mutant, rig('infra'))).toMatchObject({ outcome: 'infra' });
  expect(judgeMeta(mutant, report([]))).toMatchObject({ outcome: 'survived' });
  expect(judgeMeta(mutant, { said: 'out of memory' })).toMatchObject({ outcome: 'infra' });
});

test('all of tests/mutation/meta make sense and name a selftest that is there', async () => {
  const mutants = await metaMutantsIn(join(root, 'tests', 'mutation', 'meta'));
  expect(mutants.map(({ id }) => id)).toEqual(mutants.map((_, index) => `M${index + 1}`));
  expect(mutants.length).toBeGreaterThanOrEqual(8);
  const specs = readdirSync(join(root, 'tests', 'selftest'));
  for (const { noticedBy } of mutants) expect(specs).toContain(noticedBy);
});

/** A run in which one of the rig's own tests was red. */
function rig(verdict: Verdict): RunReport {
  return report([{ ...red('', verdict, 'said'), about: 'rig' }]);
}
