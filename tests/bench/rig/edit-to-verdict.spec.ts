// SPDX-License-Identifier: MIT
/**
 * One line of the driver changed, to the verdict of one check: a whole run of the rig, which builds
 * the module anew, against a cold boot. The change is another one each time, so that nothing is cached.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { guests } from '../../../harness/target/guests.ts';
import type { TargetFacts } from '../../../harness/target/target.ts';
import { projectFolder } from '../../system/rig-run.ts';
import { factsIn } from './facts-in.ts';
import { expect, test } from './rig-test.ts';

const SAMPLES = 6;
const FILE = 'driver/module/main.c';
/** Tags of a describe block come before the title. */
const CHECK = '@fd-per-buffer GEO-01 a mapping starts on a page';

test('edit-to-verdict: a line of the driver, the verdict of one check', async ({
  coldBoot,
  record,
  rig,
}, testInfo) => {
  const [taken, boots]: [number[], number[]] = [[], []];
  let facts: TargetFacts | undefined;
  await coldBoot();
  for (let sample = 0; sample < SAMPLES; sample++) {
    const diff = testInfo.outputPath('edit.diff');
    await writeFile(diff, await edit(`${Date.now()}`));
    const result = await rig.run({
      project: guests[0].name,
      grep: CHECK,
      env: { BUFRIG_DRIVER_DIFF: diff },
    });
    expect(result.summary.claims.pass, `checks that passed:\n${result.output}`).toBe(1);
    taken.push(result.seconds);
    boots.push((await coldBoot()) / 1000);
    facts = factsIn(result);
  }
  if (facts === undefined) return;
  await record(facts, {
    id: 'edit-to-verdict',
    title: 'edit, build, load, one check, reports',
    unit: 's',
    better: 'lower',
    samples: taken,
    baseline: { title: 'a cold boot to a login', samples: boots },
  });
});

/** A unified diff that says something else in the module's description. */
async function edit(mark: string): Promise<string> {
  const lines = (await readFile(`${projectFolder}/${FILE}`, 'utf8')).trimEnd().split('\n');
  const at = lines.findIndex((line) => line.startsWith('MODULE_DESCRIPTION('));
  const line = lines[at];
  expect(line, `${FILE} has a description`).toBeDefined();
  const changed = line?.replace('")', ` ${mark}")`);
  const around = (from: number, to: number) => lines.slice(from, to).map((each) => ` ${each}`);
  const [before, after] = [around(at - 3, at), around(at + 1, at + 4)];
  const place = `${at - 2},${before.length + 1 + after.length}`;
  const head = `@@ -${place} +${place} @@`;
  return [`--- a/${FILE}`, `+++ b/${FILE}`, head, ...before, `-${line}`, `+${changed}`, ...after, ''].join(
    '\n',
  );
}
