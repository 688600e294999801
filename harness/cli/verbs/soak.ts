// SPDX-License-Identifier: MIT
/** `npm run soak`: the suite again and again on healthy targets, in which nothing may be red. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LabError, messageOf } from '../../errors.ts';
import { statusOf, type Round } from '../../soak/rounds.ts';
import { soak as runRounds } from '../../soak/soak.ts';
import { lineOf, soakFile, soakText, type Selection, type SoakFile } from '../../soak/table.ts';
import { guests } from '../../target/guests.ts';
import { afterDashes, guarded } from '../arguments.ts';
import { interruption, INTERRUPTED } from '../interruption.ts';
import { reportsOf } from '../reports.ts';
import { setUp } from '../set-up.ts';
import type { Verb } from '../verb.ts';

const ARGUMENTS = '[--times N] [--project NAME] [--grep REGEXP] [--resume]';
const TIMES = 50;

export const soak: Verb = {
  summary: 'run the suite 50 times on healthy targets, and expect nothing red (npm run soak)',
  usage: ARGUMENTS,
  run: guarded(async (context, args) => {
    const { resume, ...selection } = readArguments(args);
    const { settings, project, environment, terminal } = context;
    const reports = await reportsOf(context);
    const before = resume ? await roundsBefore(reports, selection) : [];
    await setUp(context);
    if (!resume) await rm(join(reports, 'soak'), { recursive: true, force: true });
    const signal = interruption();
    const write = (rounds: readonly Round[]): Promise<void> => writeTables(reports, rounds, selection);
    // Before the first round: an earlier soak's table must not be taken for this one's.
    await write(before);
    const rounds = await runRounds({
      ...{ ...selection, checkout: project, reports, slow: settings.slow },
      ...{ signal, environment, before },
      onRound: async (all) => {
        await write(all);
        for (const round of all.slice(-1)) terminal.line(lineOf(round));
      },
    });
    terminal.line(`Table: ${join(reports, 'soak.md')}`);
    const { clean } = soakFile(rounds, selection);
    terminal.line(`${clean} of ${rounds.length} rounds without red, ${selection.times} wanted`);
    return signal.aborted ? INTERRUPTED : statusOf(rounds, selection.times);
  }),
};

/** @throws LabError `USAGE` */
function readArguments(args: readonly string[]): Selection & { resume: boolean } {
  const { times = String(TIMES), project, grep, resume = false } = parse(afterDashes(args));
  if (!/^[1-9]\d*$/.test(times)) throw usage(`--times ${times} is no number of rounds`);
  return {
    times: Number(times),
    project: project ?? guests[0].name,
    ...(grep === undefined ? {} : { grep }),
    resume,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        times: { type: 'string' },
        project: { type: 'string' },
        grep: { type: 'string' },
        resume: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw usage(messageOf(error));
  }
}

function usage(why: string): LabError {
  return new LabError('USAGE', `soak: ${why}`, { hint: `npm run soak -- ${ARGUMENTS}` });
}

/** @throws LabError `USAGE` when there is no soak of the same to go on with */
async function roundsBefore(reports: string, { project, grep }: Selection): Promise<Round[]> {
  const file = join(reports, 'soak.json');
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text === '') throw usage(`there is no ${file} to go on with`);
  const known: SoakFile = JSON.parse(text);
  if (known.project !== project || known.grep !== grep)
    throw usage(`${file} is of ${known.project} ${known.grep ?? ''}, not of the same tests`);
  return known.rounds;
}

async function writeTables(reports: string, rounds: readonly Round[], selection: Selection): Promise<void> {
  const file = soakFile(rounds, selection);
  await mkdir(reports, { recursive: true });
  await writeFile(join(reports, 'soak.json'), `${JSON.stringify(file, null, 2)}\n`);
  await writeFile(join(reports, 'soak.md'), soakText(file));
}
