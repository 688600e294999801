// SPDX-License-Identifier: MIT
/**
 * `npm run bench`: measures what the rig and the driver cost. The exit status says whether everything
 * was measured; whether the figures meet their targets is on the page, because wall-clock time on a
 * shared machine is no reason for a red run.
 */
import { join } from 'node:path';
import { afterDashes, guarded } from '../arguments.ts';
import { reportsOf } from '../reports.ts';
import { setUp } from '../set-up.ts';
import { runTool } from '../shell.ts';
import type { Verb } from '../verb.ts';

export const bench: Verb = {
  summary: 'set up, then measure what the rig and the driver cost, on an idle machine (npm run bench)',
  usage: '[-- PLAYWRIGHT ARGUMENTS]',
  run: guarded(async (context, args) => {
    await setUp(context);
    const { terminal, project } = context;
    const reports = await reportsOf(context);
    const own = ['test', '--project=bench', '--workers=1'];
    const status = await runTool(project, 'playwright', [...own, ...afterDashes(args)]);
    terminal.line(`Figures: ${join(reports, 'bench.html')}, ${join(reports, 'measurements.json')}`);
    return status;
  }),
};
