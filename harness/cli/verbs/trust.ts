// SPDX-License-Identifier: MIT
/** `npx bufrig trust`: confirms the host key of a board, once. */
import { trust as trustBoard, TRUST_USAGE } from '../trust.ts';
import type { Verb } from '../verb.ts';

export const trust: Verb = {
  summary: "show a board's host key and record it once it is confirmed",
  usage: TRUST_USAGE.replace('bufrig trust ', ''),
  run: ({ settings }, args) =>
    trustBoard(args, {
      stdin: process.stdin,
      stdout: process.stdout,
      knownHosts: settings.ssh.knownHosts[0],
    }),
};
