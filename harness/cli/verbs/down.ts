// SPDX-License-Identifier: MIT
/** `npx bufrig down`: ends what `npx bufrig up` keeps. */
import { endKeeper } from '../keeping.ts';
import { exit, type Verb } from '../verb.ts';

export const down: Verb = {
  summary: 'end the guest that npx bufrig up keeps',
  async run(context) {
    const kept = await endKeeper(context);
    context.terminal.line(kept === undefined ? 'No guest is up.' : `${kept.spec.name} is down.`);
    return exit.ok;
  },
};
