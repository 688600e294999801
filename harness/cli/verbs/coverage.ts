// SPDX-License-Identifier: MIT
/** `npx bufrig coverage`: the lines of contigbuf that no test reached in one or several runs, and why. */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { percent } from '../../measure/lines-run.ts';
import { moduleCoverageText } from '../../report/module-coverage-text.ts';
import { moduleCoverage, type ModuleCoverage } from '../../report/module-coverage.ts';
import { compareUnreached, parseUnreached } from '../../report/unreached.ts';
import { exit, type Verb } from '../verb.ts';

/** Lines in percent that have to be reached. */
const GOAL = 95;

export const coverage: Verb = {
  summary: 'add up which lines of the module the runs reached; red when one is missing without a reason',
  usage: 'REPORTS-FOLDER...',
  async run({ terminal, project }, folders) {
    if (folders.length === 0) {
      terminal.line('which runs? npx bufrig coverage reports');
      return exit.notSetUp;
    }
    const runs: ModuleCoverage[] = await Promise.all(
      folders.map(async (folder) => JSON.parse(await readFile(join(folder, 'module-coverage.json'), 'utf8'))),
    );
    const all = moduleCoverage(runs.flatMap(({ files }) => files));
    const driver = join(project, 'driver');
    const entries = parseUnreached(await readFile(join(driver, 'unreached.txt'), 'utf8'));
    const unreached = compareUnreached(all.files, await sourcesIn(join(driver, 'module')), entries);
    const text = moduleCoverageText(all, unreached);
    terminal.line(text);
    const [first] = folders;
    if (first !== undefined) await writeFile(join(first, 'module-coverage.md'), text);
    const { unexplained, stale } = unreached;
    return percent(all.lines) >= GOAL && unexplained.length + stale.length === 0 ? exit.ok : exit.failed;
  },
};

async function sourcesIn(folder: string): Promise<Record<string, string[]>> {
  const sources: Record<string, string[]> = {};
  for (const name of await readdir(folder)) {
    if (/\.[ch]$/.test(name)) sources[name] = (await readFile(join(folder, name), 'utf8')).split('\n');
  }
  return sources;
}
