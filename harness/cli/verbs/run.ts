// SPDX-License-Identifier: MIT
/** `npm start`: set up, then the conformance and bench suites on the default guest. */
import { join } from 'node:path';
import { reportsOf } from '../reports.ts';
import { setUp } from '../set-up.ts';
import { runTool } from '../shell.ts';
import type { Verb } from '../verb.ts';
import { afterDashes, guarded } from '../arguments.ts';

export const run: Verb = {
  summary: 'set up, then test the driver in the default guest (npm start)',
  usage: '[-- PLAYWRIGHT ARGUMENTS]',
  run: guarded(async (context, args) => {
    await setUp(context);
    const { terminal, project } = context;
    const reports = await reportsOf(context);
    const status = await runTool(project, 'playwright', [
      'test',
      '--project=qemu-arm64',
      ...afterDashes(args),
    ]);
    terminal.line(`Reports: ${join(reports, 'html/index.html')}, ${join(reports, 'allure/index.html')}`);
    return status;
  }),
};
