// SPDX-License-Identifier: MIT
/** `npx bufrig setup`: everything that needs time or network, so that tests do not. */
import { guarded } from '../arguments.ts';
import { setUp } from '../set-up.ts';
import { exit, type Verb } from '../verb.ts';

export const setup: Verb = {
  summary: 'install, download and build what the default guest needs, and stop there',
  run: guarded(async (context) => {
    await setUp(context);
    return exit.ok;
  }),
};
