// SPDX-License-Identifier: MIT
/** The suite again and again. Each round is a run of its own; its evidence is kept when it is not clean. */
import { rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { runSuite } from '../campaign/suite-run.ts';
import { isClean, roundFrom, type Round } from './rounds.ts';
import type { Selection } from './table.ts';

export interface SoakOptions extends Selection {
  /** Absolute path of the checkout. */
  checkout: string;
  /** Folder of the reports; the rounds' evidence lies in it. */
  reports: string;
  signal: AbortSignal;
  environment: Readonly<Record<string, string | undefined>>;
  /** Rounds of an earlier soak of the same, which count. */
  before: readonly Round[];
  /** Called after each round, with all so far: what it writes is there when the next is cut short. */
  onRound: (rounds: readonly Round[]) => Promise<void>;
}

/** @returns all rounds; the one that an abort cut short is none */
export async function soak(options: SoakOptions): Promise<Round[]> {
  const { checkout, reports, project, grep, settings, times, signal, environment, before, onRound } = options;
  const rounds = [...before];
  while (rounds.length < times && !signal.aborted) {
    const number = rounds.length + 1;
    const folder = join(reports, 'soak', `round-${number}`);
    const startTime = new Date().toISOString();
    const begun = performance.now();
    const report = await runSuite({
      ...{ project: checkout, guest: project, append: [], slow: false, folder, signal, environment },
      // As a user runs it.
      ...{ workers: 'as-configured', variables: settings },
      ...(grep === undefined ? {} : { grep }),
    });
    if (signal.aborted) break;
    const seconds = Math.round((performance.now() - begun) / 1000);
    const round = roundFrom(report, { number, startTime, seconds });
    if (isClean(round)) await rm(folder, { recursive: true, force: true });
    else round.evidence = relative(reports, folder);
    rounds.push(round);
    await onRound(rounds);
  }
  return rounds;
}
