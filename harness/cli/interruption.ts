// SPDX-License-Identifier: MIT
/** Ctrl-C in a campaign: what runs takes its guests down, and the table of what is known is written. */

/** The exit status of an interrupted program, as shells tell it. */
export const INTERRUPTED = 130;

/** Aborted by the first Ctrl-C or SIGTERM; a second one ends the process as ever. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}
