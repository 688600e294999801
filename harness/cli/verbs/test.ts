// SPDX-License-Identifier: MIT
/**
 * `npm test`: set up, then everything that must hold before a change goes in. The last line is
 * `N passed, N failed`; the numbers are Playwright's, and whatever else failed counts as a failure.
 */
import { afterDashes, guarded } from '../arguments.ts';
import { messageOf } from '../../errors.ts';
import { exitStatus } from '../../report/exit-status.ts';
import { INTERRUPTED } from '../interruption.ts';
import { forgetResults, readTally } from '../results.ts';
import { reportsOf } from '../reports.ts';
import { setUp } from '../set-up.ts';
import { runTool } from '../shell.ts';
import { exit, type Verb } from '../verb.ts';

const CHECKS = [
  { name: 'types', tool: 'tsc', args: ['--noEmit'] },
  { name: 'lint', tool: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'format', tool: 'oxfmt', args: ['--check'] },
] as const;

export const test: Verb = {
  summary: "set up, check the code, then run the rig's own tests and the conformance suite (npm test)",
  usage: '[-- PLAYWRIGHT ARGUMENTS]',
  run: guarded(async (context, args) => {
    const { terminal, project } = context;
    await setUp(context);
    const wrong: string[] = [];
    for (const { name, tool, args } of CHECKS) {
      terminal.line(`${name}: ${tool} ${args.join(' ')}`);
      const status = await runTool(project, tool, args);
      if (status === INTERRUPTED) return status;
      if (status !== 0) wrong.push(`${name}: ${tool} is not content`);
    }
    const codeIsWrong = wrong.length > 0;
    const reports = await reportsOf(context);
    await forgetResults(reports);
    const projects = ['--project=selftest', '--project=qemu-arm64', '--project=mutation'];
    const status = await runTool(project, 'playwright', ['test', ...projects, ...afterDashes(args)]);
    const tally = await readTally(reports).catch((error: unknown) => {
      wrong.push(messageOf(error));
      return { passed: 0, failed: 0 };
    });
    if (tally.passed + tally.failed === 0) wrong.push('no test ran');
    else if (status !== 0 && tally.failed === 0) wrong.push(`Playwright ended with status ${status}`);
    for (const line of wrong) terminal.line(line);
    terminal.line(`${tally.passed} passed, ${tally.failed + wrong.length} failed`);
    // Whatever became of the lab.
    if (codeIsWrong && status === exitStatus.lab) return exit.failed;
    if (status !== 0) return status;
    return wrong.length === 0 && tally.failed === 0 ? exit.ok : exit.failed;
  }),
};
