// SPDX-License-Identifier: MIT
/**
 * One line of the driver changed, to the verdict of one check: a whole run of the rig, which builds
 * the module anew, against a cold boot. The change is another one each time, so that nothing is cached.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { expect, rigTest as test } from '../../../fixtures/rig-bench.ts';
import { guests } from '../../../harness/target/guests.ts';
import type { TargetFacts } from '../../../harness/target/target.ts';
import { projectFolder, Rig } from '../../system/rig-run.ts';
import { factsIn } from './facts-in.ts';

const SAMPLES = 6;
const FILE = 'driver/module/main.c';
const CHECK = 'GEO-01 .*@fd-per-buffer';

test('edit-to-verdict: a line of the driver, the verdict of one check', async ({
  coldBoot,
  record,
}, testInfo) => {
  const rig = new Rig();
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
  rig.close();
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
  const lines = (await readFile(`${projectFolder}/${FILE}`, 'utf8')).split('\n');
  const at = lines.findIndex((line) => line.startsWith('MODULE_DESCRIPTION('));
  const line = lines[at];
  expect(line, `${FILE} has a description`).toBeDefined();
  const changed = line?.replace('")', ` ${mark}")`);
  const around = (from: number, to: number) => lines.slice(from, to).map((each) => ` ${each}`);
  const [before, after] = [around(at - 3, at), around(at + 1, at + 4)];
  const count = before.length + 1 + after.length;
  const head = `@@ -${at - 2},${count} +${at - 2},${count} @@`;
  return [`--- a/${FILE}`, `+++ b/${FILE}`, head, ...before, `-${line}`, `+${changed}`, ...after, ''].join(
    '\n',
  );
}
