// SPDX-License-Identifier: MIT
/** `npm run mutation`: drivers with one defect each, and whether the suite finds it. */
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Cache } from '../../build/cache.ts';
import { TableFiles } from '../../campaign/table-files.ts';
import { LabError, messageOf } from '../../errors.ts';
import { runCampaign, type CampaignOptions, type MutantResult } from '../../mutation/campaign.ts';
import type { Outcome } from '../../mutation/judgement.ts';
import { metaMutantsIn, runMetaCampaign } from '../../mutation/meta.ts';
import { mutantFrom, mutantsIn, type Mutant } from '../../mutation/mutant.ts';
import { lineOf, mutationFile, mutationText } from '../../mutation/table.ts';
import { exitStatus } from '../../report/exit-status.ts';
import { guests } from '../../target/guests.ts';
import { afterDashes, guarded } from '../arguments.ts';
import { interruption, INTERRUPTED } from '../interruption.ts';
import { reportsOf } from '../reports.ts';
import { setUp } from '../set-up.ts';
import { exit, type Context, type Verb } from '../verb.ts';

const ARGUMENTS =
  '[--only P01,P08 | --diff FILE [--guest NAME] | --meta] [--full] [--stop-early] [--workers N] [--list]';
/** What leaves a campaign red. */
const RED: readonly Outcome[] = ['survived', 'killed-by-another', 'invalid'];

export const mutation: Verb = {
  summary: 'see whether the suite finds the defects in driver/mutants (npm run mutation)',
  usage: ARGUMENTS,
  run: guarded(async (context, args) => {
    const options = readArguments(args);
    if (options.meta) return judgeRig(context, options);
    const mutants = await chosen(context, options);
    if (options.list) {
      for (const mutant of mutants) context.terminal.line(describe(mutant));
      return exit.ok;
    }
    await setUp({ ...context, settings: { ...context.settings, driverDiff: undefined } });
    return conclude(context, 'mutation', mutants.length, options, (common) =>
      runCampaign(mutants, {
        ...common,
        cache: new Cache(context.settings.cacheRoot, { onProgress: () => {} }),
        searchPath: context.searchPath,
        full: options.full,
        stopEarly: options.stopEarly,
      }),
    );
  }),
};

interface Options {
  only: string[];
  diff: string | undefined;
  /** For the diff: the project that it is tried on, and no other. */
  guest: string | undefined;
  /** Defects of the rig instead of the driver. */
  meta: boolean;
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
  const { diff, guest } = values;
  const forDriver = ['diff', 'guest', 'full', 'stop-early', 'workers'] as const;
  const senseless = forDriver.filter((name) => values[name] !== undefined);
  if (values.meta === true && senseless.length > 0)
    throw usage(`--meta is about the rig, one defect at a time, and has no --${senseless.join(', --')}`);
  if (guest !== undefined && diff === undefined) throw usage('--guest is for --diff; our mutants say theirs');
  if (guest !== undefined && !guests.some(({ name }) => name === guest))
    throw usage(`there is no guest ${guest}; there are ${guests.map(({ name }) => name).join(' ')}`);
  return {
    only: values.only?.split(',').filter((id) => id !== '') ?? [],
    ...{ diff, guest },
    meta: values.meta ?? false,
    list: values.list ?? false,
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
        guest: { type: 'string' },
        meta: { type: 'boolean' },
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
  return new LabError('USAGE', `mutation: ${why}`, { hint: `npm run mutation -- ${ARGUMENTS}` });
}

async function chosen(
  { project, workingDirectory }: Context,
  { only, diff, guest }: Options,
): Promise<Mutant[]> {
  if (diff !== undefined) {
    const mutant = await mutantFrom(resolve(workingDirectory, diff));
    return [guest === undefined ? mutant : { ...mutant, guests: [guest] }];
  }
  return thoseOf(await mutantsIn(join(project, 'driver', 'mutants')), only);
}

/** All, unless some are named. @throws LabError `USAGE` for a name that is none's */
function thoseOf<T extends { id: string }>(all: readonly T[], only: readonly string[]): T[] {
  const unknown = only.filter((id) => !all.some((mutant) => mutant.id === id));
  if (unknown.length > 0)
    throw usage(`there is no ${unknown.join(', ')}; there are ${all.map(({ id }) => id).join(' ')}`);
  return all.filter(({ id }) => only.length === 0 || only.includes(id));
}

function describe({ id, kind, what, killedBy, guests: places, strategies }: Mutant): string {
  const where = [...places, ...strategies].join(', ');
  return `${id}  ${kind}: ${what}\n     ${killedBy.join(' ') || 'any check'}, on ${where}`;
}

/** Parts of the rig turned off one at a time. */
async function judgeRig(context: Context, options: Options): Promise<number> {
  const all = await metaMutantsIn(join(context.project, 'tests', 'mutation', 'meta'));
  const mutants = thoseOf(all, options.only);
  if (options.list) {
    for (const { id, kind, what, noticedBy } of mutants) {
      context.terminal.line(`${id}  ${kind}: ${what}\n     ${noticedBy}`);
    }
    return exit.ok;
  }
  const one = { ...options, workers: 1 };
  return conclude(context, 'meta-mutation', mutants.length, one, (common) =>
    runMetaCampaign(mutants, common),
  );
}

/** Runs a campaign, writes its table, and says how it ended. @param name of the table's files @param wanted mutants */
async function conclude(
  context: Context,
  name: string,
  wanted: number,
  { workers }: Options,
  campaign: (
    common: Omit<CampaignOptions, 'cache' | 'searchPath' | 'full' | 'stopEarly'>,
  ) => Promise<MutantResult[]>,
): Promise<number> {
  const { project, terminal, environment } = context;
  const reports = await reportsOf(context);
  const folder = join(reports, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const startTime = new Date().toISOString();
  const begun = performance.now();
  const signal = interruption();
  const table = new TableFiles(reports, name);
  const write = async (results: readonly MutantResult[]) => {
    const seconds = Math.round((performance.now() - begun) / 1000);
    const file = mutationFile(results, { startTime, seconds, workers, wanted });
    await table.write(file, mutationText(file));
    return file;
  };
  // Before the first result: the table of an earlier campaign must not be taken for this one's.
  await write([]);
  const known: MutantResult[] = [];
  const results = await campaign({
    ...{ project, folder, environment, workers, signal },
    onResult: async (result) => {
      known.push(result);
      terminal.line(lineOf(result));
      await write(known);
    },
    onProgress: (line) => terminal.line(line),
  });
  const { score, seconds } = await write(results);
  terminal.line(`Table: ${table.text}`);
  terminal.line(`${score.killed} of ${score.of} killed by a check that they name, in ${seconds} s`);
  return signal.aborted ? INTERRUPTED : statusOf(results);
}

/** Like the rest of the rig: whether the suite is too weak, or only the lab failed. */
function statusOf(results: readonly MutantResult[]): number {
  if (results.some(({ outcome }) => RED.includes(outcome))) return exitStatus.red;
  return results.some(({ outcome }) => outcome === 'infra') ? exitStatus.lab : exit.ok;
}
