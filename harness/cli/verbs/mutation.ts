// SPDX-License-Identifier: MIT
/** `npm run mutation`: drivers with one defect each, and whether the suite finds it. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Cache } from '../../build/cache.ts';
import { LabError, messageOf } from '../../errors.ts';
import { runCampaign, type MutantResult } from '../../mutation/campaign.ts';
import type { Outcome } from '../../mutation/judgement.ts';
import { mutantFrom, mutantsIn, type Mutant } from '../../mutation/mutant.ts';
import { lineOf, mutationFile, mutationText } from '../../mutation/table.ts';
import { exitStatus } from '../../report/exit-status.ts';
import { afterDashes, guarded } from '../arguments.ts';
import { setUp } from '../set-up.ts';
import { exit, type Context, type Verb } from '../verb.ts';

const USAGE =
  'npm run mutation -- [--only P01,P08 | --diff FILE] [--full] [--stop-early] [--workers N] [--list]';
/** Ctrl-C, as shells tell it. */
const INTERRUPTED = 130;

/** What leaves a campaign red. */
const RED: readonly Outcome[] = ['survived', 'killed-by-another', 'invalid'];

export const mutation: Verb = {
  summary: 'see whether the suite finds the defects in driver/mutants (npm run mutation)',
  usage: '[--only P01,P08 | --diff FILE] [--full] [--stop-early] [--workers N] [--list]',
  run: guarded(async (context, args) => {
    const options = readArguments(args);
    const mutants = await chosen(context, options);
    if (options.list) {
      for (const mutant of mutants) context.terminal.line(describe(mutant));
      return exit.ok;
    }
    await setUp({ ...context, settings: { ...context.settings, driverDiff: undefined } });
    return judgeAll(context, mutants, options);
  }),
};

interface Options {
  only: string[];
  diff: string | undefined;
  list: boolean;
  full: boolean;
  stopEarly: boolean;
  workers: number;
}

/** @throws LabError `USAGE` */
function readArguments(args: readonly string[]): Options {
  const values = parse(afterDashes(args));
  const workers = Number(values.workers ?? 2);
  if (!Number.isInteger(workers) || workers < 1)
    throw usage(`--workers ${values.workers} is no number of guests`);
  if (values.only !== undefined && values.diff !== undefined)
    throw usage('--only and --diff exclude each other');
  return {
    only: values.only?.split(',').filter((id) => id !== '') ?? [],
    diff: values.diff,
    list: values.list ?? false,
    // A diff of somebody's own names no check.
    full: values.full ?? false,
    stopEarly: values['stop-early'] ?? false,
    workers,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string' },
        diff: { type: 'string' },
        list: { type: 'boolean' },
        full: { type: 'boolean' },
        'stop-early': { type: 'boolean' },
        workers: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw usage(messageOf(error));
  }
}

function usage(why: string): LabError {
  return new LabError('USAGE', `mutation: ${why}`, { hint: USAGE });
}

async function chosen({ project }: Context, { only, diff }: Options): Promise<Mutant[]> {
  if (diff !== undefined) return [await mutantFrom(resolve(diff))];
  const all = await mutantsIn(join(project, 'driver', 'mutants'));
  const unknown = only.filter((id) => !all.some((mutant) => mutant.id === id));
  if (unknown.length > 0) {
    throw usage(`there is no ${unknown.join(', ')}; there are ${all.map(({ id }) => id).join(' ')}`);
  }
  return only.length === 0 ? all : all.filter(({ id }) => only.includes(id));
}

function describe({ id, kind, what, killedBy, guest, strategy }: Mutant): string {
  return `${id}  ${kind}: ${what}\n     ${killedBy.join(' ') || 'any check'}, on ${guest}, ${strategy}`;
}

async function judgeAll(context: Context, mutants: readonly Mutant[], options: Options): Promise<number> {
  const { project, settings, terminal, environment } = context;
  const folder = join(settings.reports, 'mutation');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const startTime = new Date().toISOString();
  const begun = performance.now();
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, interrupt);
  const results = await runCampaign(mutants, {
    ...{ project, folder, environment, signal: interruption.signal },
    cache: new Cache(settings.cacheRoot, { onProgress: () => {} }),
    workers: options.workers,
    full: options.full,
    stopEarly: options.stopEarly,
    onResult: (result) => terminal.line(lineOf(result)),
    onProgress: (line) => terminal.line(line),
  });
  const seconds = Math.round((performance.now() - begun) / 1000);
  const file = mutationFile(results, { startTime, seconds, workers: options.workers });
  await writeFile(join(settings.reports, 'mutation.json'), `${JSON.stringify(file, null, 2)}\n`);
  await writeFile(join(settings.reports, 'mutation.md'), mutationText(file));
  terminal.line(`Table: ${join(settings.reports, 'mutation.md')}`);
  terminal.line(`${file.score.killed} of ${file.score.of} killed by a check that they name, in ${seconds} s`);
  return interruption.signal.aborted ? INTERRUPTED : statusOf(results);
}

/** Like the rest of the rig: whether the suite is too weak, or only the lab failed. */
function statusOf(results: readonly MutantResult[]): number {
  if (results.some(({ outcome }) => RED.includes(outcome))) return exitStatus.red;
  return results.some(({ outcome }) => outcome === 'infra') ? exitStatus.lab : exit.ok;
}
