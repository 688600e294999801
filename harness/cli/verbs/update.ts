// SPDX-License-Identifier: MIT
/** `npx bufrig update`: ask Debian's archive for newer versions; nothing else ever does. */
import { guarded } from '../arguments.ts';
import { setUp } from '../set-up.ts';
import { exit, type Verb } from '../verb.ts';

export const update: Verb = {
  summary: "look for a newer kernel and userland in Debian's archive",
  run: guarded(async (context) => {
    await setUp(context, { refresh: true });
    return exit.ok;
  }),
};
