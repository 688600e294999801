// SPDX-License-Identifier: MIT
/** `npx bufrig up`: boots the default guest and keeps it until Ctrl-C, for a look around by hand. */
import { once } from 'node:events';
import { Cache } from '../../build/cache.ts';
import { Deadline } from '../../deadline.ts';
import { openTarget } from '../../target/open.ts';
import type { Target } from '../../target/target.ts';
import { guests } from '../../target/guests.ts';
import { guarded } from '../arguments.ts';
import { setUp } from '../set-up.ts';
import { exit, type Verb } from '../verb.ts';

/** Milliseconds. */
const OPEN_LIMIT = 15 * 60_000;

export const up: Verb = {
  summary: 'boot the default guest, say how to get in, and keep it until Ctrl-C',
  run: guarded(async (context) => {
    await setUp(context);
    const { terminal, settings } = context;
    const cache = new Cache(settings.cacheRoot, { onProgress: (line) => terminal.line(line) });
    const target = await openTarget(guests[0], {
      settings,
      cache,
      deadline: Deadline.in(OPEN_LIMIT),
      announce: (line) => terminal.line(line),
    });
    try {
      for (const line of waysIn(target)) terminal.line(line);
      await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
    } finally {
      await target.close();
    }
    return exit.ok;
  }),
};

function waysIn({ facts, kernelTree, console }: Target): string[] {
  const { address = '', fingerprint = '', 'login key': key = '' } = facts.details;
  const { hostname, port } = new URL(address);
  return [
    `\n${facts.name} runs Linux ${facts.kernelRelease}. A shell:`,
    `  ssh -i ${key} -p ${port} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@${hostname}`,
    `The console: tail -f ${console?.file ?? ''}`,
    'The suite on it, as if it were a board:',
    `  BUFRIG_TARGET=${address} BUFRIG_HOST_KEY=${fingerprint} BUFRIG_SSH_KEY=${key} \\`,
    `  BUFRIG_KERNEL_TREE=${kernelTree.directory} npx playwright test --project=board`,
    'Ctrl-C ends it.',
  ];
}
