// SPDX-License-Identifier: MIT
/** `npm run faults`: the lab is broken while healthy tests run, and has to take the blame. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TableFiles } from '../../campaign/table-files.ts';
import { LabError, messageOf } from '../../errors.ts';
import { runFaults, type FaultResult } from '../../faults/campaign.ts';
import type { Fault } from '../../faults/fault.ts';
import { faults as all } from '../../faults/faults.ts';
import { faultsFile, faultsText, lineOf } from '../../faults/table.ts';
import { exitStatus } from '../../report/exit-status.ts';
import { guests } from '../../target/guests.ts';
import { afterDashes, guarded } from '../arguments.ts';
import { interruption, INTERRUPTED } from '../interruption.ts';
import { reportsOf } from '../reports.ts';
import { setUp } from '../set-up.ts';
import { exit, type Verb } from '../verb.ts';

const ARGUMENTS = '[--only link-cut,guest-killed] [--list]';

export const faults: Verb = {
  summary: 'break the lab while tests run, and see that it takes the blame (npm run faults)',
  usage: ARGUMENTS,
  run: guarded(async (context, args) => {
    const { project, terminal, environment } = context;
    const { chosen, list } = readArguments(args);
    if (list) {
      for (const { id, what, must } of chosen) terminal.line(`${id}  ${what}\n     ${must}`);
      return exit.ok;
    }
    await setUp({ ...context, settings: { ...context.settings, driverDiff: undefined } });
    const reports = await reportsOf(context);
    const folder = join(reports, 'faults');
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const startTime = new Date().toISOString();
    const begun = performance.now();
    const signal = interruption();
    const results: FaultResult[] = [];
    const table = new TableFiles(reports, 'faults');
    const write = async (): Promise<void> => {
      const seconds = Math.round((performance.now() - begun) / 1000);
      const wanted = chosen.length;
      const file = faultsFile(results, { startTime, seconds, wanted, guest: guests[0].name });
      await table.write(file, faultsText(file));
    };
    // Before the first result: the table of an earlier campaign must not be taken for this one's.
    await write();
    await runFaults(chosen, {
      ...{ project, folder, signal, environment, guest: guests[0].name },
      onResult: async (result) => {
        results.push(result);
        terminal.line(lineOf(result));
        await write();
      },
    });
    await write();
    terminal.line(`Table: ${table.text}`);
    return signal.aborted ? INTERRUPTED : statusOf(results);
  }),
};

/** The rig is wrong about a fault; or the campaign could not bring one about, or none at all, and nothing is known. */
function statusOf(results: readonly FaultResult[]): number {
  if (results.some(({ outcome }) => outcome === 'wrong')) return exitStatus.red;
  const known = results.some(({ outcome }) => outcome === 'right');
  return known && !results.some(({ outcome }) => outcome === 'not-injected') ? exit.ok : exitStatus.lab;
}

/** @throws LabError `USAGE` */
function readArguments(args: readonly string[]): { chosen: readonly Fault[]; list: boolean } {
  const { only, list = false } = parse(afterDashes(args));
  const ids = only?.split(',').filter((id) => id !== '') ?? [];
  const unknown = ids.filter((id) => !all.some((fault) => fault.id === id));
  if (unknown.length > 0)
    throw usage(`there is no ${unknown.join(', ')}; there are ${all.map(({ id }) => id).join(' ')}`);
  return { chosen: ids.length === 0 ? all : all.filter(({ id }) => ids.includes(id)), list };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: { only: { type: 'string' }, list: { type: 'boolean' } },
    }).values;
  } catch (error) {
    throw usage(messageOf(error));
  }
}

function usage(why: string): LabError {
  return new LabError('USAGE', `faults: ${why}`, { hint: `npm run faults -- ${ARGUMENTS}` });
}
