// SPDX-License-Identifier: MIT
/**
 * Meta-mutants: parts of the rig itself turned off one at a time, in a copy of its source. The
 * selftests have to notice; the same selftests pass in a copy that nothing was done to.
 */
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { applyDiff } from '../build/diff.ts';
import { LabError } from '../errors.ts';
import { Undo } from '../undo.ts';
import { runSuite } from '../campaign/suite-run.ts';
import type { CampaignOptions, MutantResult } from './campaign.ts';
import type { Judgement, RunReport } from './judgement.ts';

export interface MetaMutant {
  /** Name of its file, for example `M4`. */
  id: string;
  kind: string;
  what: string;
  diff: string;
  /** File of the selftest that has to notice. */
  noticedBy: string;
}

/** All that the selftests are about, and what they need. */
const COPIED = [
  ...['driver', 'fixtures', 'harness', 'tests', 'LICENSES'],
  ...['package.json', 'package-lock.json', 'playwright.config.ts', 'tsconfig.json', 'README.md'],
];

/** @throws LabError `MUTANT` for one whose description makes no sense */
export async function metaMutantsIn(folder: string): Promise<MetaMutant[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.diff'));
  const mutants = await Promise.all(
    names.map(async (name) => parseMetaMutant(name, await readFile(join(folder, name), 'utf8'))),
  );
  return mutants.toSorted((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));
}

export function parseMetaMutant(file: string, diff: string): MetaMutant {
  const found = /^(M\d+) ([^:\n]+): (.*)\nNoticed-by: (\S+\.spec\.ts)\n\n--- /.exec(diff);
  const [, id = '', kind = '', what = '', noticedBy = ''] = found ?? [];
  if (id === '' || basename(file) !== `${id}.diff`) {
    throw new LabError('MUTANT', `${file} does not begin as a meta-mutant does`, {
      hint: `begin with "${basename(file, '.diff')} part: what is off" and "Noticed-by: FILE.spec.ts", then an empty line`,
    });
  }
  return { id, kind, what, noticedBy, diff };
}

/** One after the other, each with one worker. */
export async function runMetaCampaign(
  mutants: readonly MetaMutant[],
  options: Omit<CampaignOptions, 'cache' | 'searchPath' | 'full' | 'stopEarly'>,
): Promise<MutantResult[]> {
  const specs = [...new Set(mutants.map(({ noticedBy }) => noticedBy))];
  const control = await inCopy(undefined, specs, 'control', options);
  const reds = control.summary?.red.map(({ location }) => location) ?? [];
  options.onProgress(`the rig as it is ${reds.length === 0 ? 'passes' : 'does not pass'} ${specs.join(' ')}`);
  const results: MutantResult[] = [];
  for (const mutant of mutants) {
    if (options.signal.aborted) break;
    const begun = performance.now();
    const bad = control.summary === undefined || reds.some((location) => location.includes(mutant.noticedBy));
    const judgement: Judgement = bad
      ? { outcome: 'infra', message: `the rig as it is does not pass ${mutant.noticedBy}`, others: [] }
      : await judged(mutant, options);
    const { id, kind, what, noticedBy } = mutant;
    const place = { named: [noticedBy], guests: ['none'], strategies: ['selftest'] };
    const seconds = Math.round((performance.now() - begun) / 1000);
    results.push({ id, kind, what, ...place, ...judgement, seconds });
    await options.onResult(results.at(-1) as MutantResult);
  }
  return results;
}

async function judged(mutant: MetaMutant, options: Parameters<typeof inCopy>[3]): Promise<Judgement> {
  try {
    return judgeMeta(mutant, await inCopy(mutant.diff, [mutant.noticedBy], mutant.id, options));
  } catch (error) {
    if (error instanceof LabError && error.code === 'DIFF_REJECTED') {
      return { outcome: 'invalid', message: error.message, others: [] };
    }
    throw error;
  }
}

/** Noticed by a test that judged: neither a timeout nor trouble of this machine is one. */
export function judgeMeta(
  { noticedBy }: Pick<MetaMutant, 'noticedBy'>,
  { summary, said }: RunReport,
): Judgement {
  if (summary === undefined) {
    return {
      outcome: 'infra',
      message: `the run left no report: ${said.trim().split('\n').at(-1) ?? ''}`,
      others: [],
    };
  }
  const [killer, ...more] = summary.red.filter(({ verdict }) => verdict === 'fail');
  if (killer !== undefined) {
    const { title, cause } = killer;
    return {
      outcome: 'killed',
      check: `${noticedBy}: ${title}`,
      message: cause,
      others: more.map((red) => red.title),
    };
  }
  const [red] = summary.red;
  if (red !== undefined) return { outcome: 'infra', message: `${red.verdict}: ${red.cause}`, others: [] };
  return { outcome: 'survived', message: `${noticedBy} passed`, others: [] };
}

/** Runs selftests in a copy of the rig, which is removed afterwards. @throws LabError `DIFF_REJECTED` */
async function inCopy(
  diff: string | undefined,
  specs: readonly string[],
  name: string,
  {
    project,
    folder,
    signal,
    environment,
  }: Pick<CampaignOptions, 'project' | 'folder' | 'signal' | 'environment'>,
): Promise<RunReport> {
  const undo = new Undo();
  const copy = await mkdtemp(join(tmpdir(), 'bufrig-meta-'));
  undo.add('remove the copy of the rig', () => rm(copy, { recursive: true, force: true }));
  try {
    for (const part of COPIED) await cp(join(project, part), join(copy, part), { recursive: true });
    await symlink(join(project, 'node_modules'), join(copy, 'node_modules'));
    if (diff !== undefined) await applyDiff(diff, copy, "the rig's source");
    await mkdir(folder, { recursive: true });
    const grep = `(${specs.map((spec) => spec.replaceAll('.', '\\.')).join('|')})`;
    return await runSuite({
      ...{ project: copy, guest: 'selftest', grep, append: [], slow: false },
      ...{ folder: join(folder, name), workers: 1, signal, environment },
    });
  } finally {
    await undo.run();
  }
}
