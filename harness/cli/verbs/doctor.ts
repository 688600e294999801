// SPDX-License-Identifier: MIT
/** `npm run doctor`: why it does not work here, and what to do about it. Status 1 when something is bad. */
import { checks, diagnose } from '../checks.ts';
import { exit, type Verb } from '../verb.ts';

export const doctor: Verb = {
  summary: 'look for what keeps the rig from working here, with the way out of each',
  async run(context) {
    let bad = 0;
    for (const check of checks) {
      const { grade, found, fix } = await diagnose(check, context);
      if (grade === 'bad') bad += 1;
      context.terminal.line(`${grade.padEnd(5)} ${check.name}: ${found}`);
      if (fix !== undefined) context.terminal.line(`      fix: ${fix}`);
    }
    context.terminal.line(bad === 0 ? 'nothing in the way' : `${bad} in the way`);
    return bad === 0 ? exit.ok : exit.failed;
  },
};
