// SPDX-License-Identifier: MIT
/** `npm run soak`: the suite again and again on healthy targets, in which nothing may be red. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { whyNoTests } from '../../campaign/suite-run.ts';
import { TableFiles } from '../../campaign/table-files.ts';
import { LabError, messageOf } from '../../errors.ts';
import { settingsOfRuns } from '../../settings.ts';
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
    const { resume, ...asked } = readArguments(args);
    const { project: checkout, environment, terminal } = context;
    const selection = { ...asked, settings: settingsOfRuns(environment) };
    const reports = await reportsOf(context);
    const table = new TableFiles(reports, 'soak');
    const before = resume ? await roundsBefore(table.data, selection) : [];
    await setUp(context);
    const { project, grep, settings } = selection;
    const none = await whyNoTests({
      ...{ project: checkout, guest: project, variables: settings },
      ...(grep === undefined ? {} : { grep }),
    });
    if (none !== undefined) throw usage(none);
    if (!resume) await rm(join(reports, 'soak'), { recursive: true, force: true });
    const signal = interruption();
    const write = (rounds: readonly Round[]): Promise<void> => {
      const file = soakFile(rounds, selection);
      return table.write(file, soakText(file));
    };
    // Before the first round: an earlier soak's table must not be taken for this one's.
    await write(before);
    const rounds = await runRounds({
      ...{ ...selection, checkout, reports },
      ...{ signal, environment, before },
      onRound: async (all) => {
        await write(all);
        for (const round of all.slice(-1)) terminal.line(lineOf(round));
      },
    });
    terminal.line(`Table: ${table.text}`);
    const { clean } = soakFile(rounds, selection);
    terminal.line(`${clean} of ${rounds.length} rounds without red, ${selection.times} wanted`);
    return signal.aborted ? INTERRUPTED : statusOf(rounds, selection.times);
  }),
};

/** @throws LabError `USAGE` */
function readArguments(args: readonly string[]): Omit<Selection, 'settings'> & { resume: boolean } {
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
async function roundsBefore(file: string, { project, grep, settings }: Selection): Promise<Round[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text === '') throw usage(`there is no ${file} to go on with`);
  const known: SoakFile = JSON.parse(text);
  const same =
    known.project === project && known.grep === grep && isDeepStrictEqual(known.settings, settings);
  if (!same)
    throw usage(`${file} is of ${known.project} ${known.grep ?? ''}, not of the same tests and settings`);
  return known.rounds;
}
