// SPDX-License-Identifier: MIT
/** `npx bufrig help`. */
import { variables } from '../../settings.ts';
import { exit, type Verb } from '../verb.ts';
import { verbs } from '../verbs.ts';

export const help: Verb = {
  summary: 'this text',
  async run({ terminal }) {
    terminal.line('bufrig VERB, where VERB is');
    for (const [name, load] of Object.entries(verbs)) {
      const { summary, usage } = await load();
      terminal.line(
        `  ${name.padEnd(10)} ${summary}${usage === undefined ? '' : `\n             ${name} ${usage}`}`,
      );
    }
    terminal.line('\nFrom the environment');
    for (const [name, meaning] of Object.entries(variables)) terminal.line(`  ${name.padEnd(20)} ${meaning}`);
    terminal.line('\nAfter the set-up Playwright can be used as ever: npx playwright test --help');
    return exit.ok;
  },
};
