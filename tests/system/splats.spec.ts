// SPDX-License-Identifier: MIT
/**
 * A kernel that complains while a test runs: told as what it is, with that test to blame, and the tests
 * after it run on a kernel that is whole. A test that declares a complaint passes with that one only.
 */
import { join } from 'node:path';
import { projectFor, ways } from './provoke/ways.ts';
import { projectFolder, type Ran } from './rig-run.ts';
import { expect, test } from './system-test.ts';

const config = join(projectFolder, 'tests', 'system', 'provoke', 'playwright.config.ts');

for (const [kind, all] of Object.entries(ways)) {
  test(`${kind}: ${all.map(({ how }) => how).join(', ')}`, async ({ rig }) => {
    const run = await rig.run({ project: projectFor(kind), config, grep: `\\b${kind}: ` });
    const red = run.summary.red.map(({ title, verdict }) => [title, verdict]);
    expect(Object.fromEntries(red), run.output).toEqual(
      Object.fromEntries(all.map(({ how }) => [`${kind}: provokes ${how}`, 'crash'])),
    );
    for (const { how, category } of all) {
      const { errors } = ran(run.tests, `${kind}: provokes ${how}`);
      expect(errors.join('\n'), how).toContain(
        `KernelCrash [${category.toUpperCase().replaceAll('-', '_')}]`,
      );
    }
    expect(run.tests.filter(({ status }) => status === 'expected')).toHaveLength(all.length + 1);
    expect(run.summary).toMatchObject({ colour: 'rig', errors: [] });
    expect(run.code).toBe(1);
  });
}

test('a declared complaint is a pass, and any other is not', async ({ rig }) => {
  const run = await rig.run({ project: 'qemu-arm64', config, grep: 'declared' });
  const red = Object.fromEntries(
    run.summary.red.map(({ title, verdict }) => [title.split(' › ').at(-1), verdict]),
  );
  expect(red, run.output).toEqual({
    'declared: and nothing came': 'fail',
    'declared: and another came': 'crash',
    'declared: of that kind, but not that one': 'crash',
    'declared: that, and another': 'crash',
    'declared: that, and a panic': 'crash',
  });
  expect(ran(run.tests, 'declared: that, and another').errors.join('\n')).toContain('KernelCrash [REFCOUNT]');
  expect(ran(run.tests, 'declared: that, and a panic').errors.join('\n')).toContain(
    'then a panic: provoke: told to panic',
  );
  expect(run.tests).toHaveLength(8);
  expect(run.summary.errors).toEqual([]);
});

function ran(tests: readonly Ran[], title: string): Ran {
  const found = tests.find((one) => one.title === title);
  if (found === undefined) throw new Error(`no test ${title} ran`);
  return found;
}
