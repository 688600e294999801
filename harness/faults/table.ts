// SPDX-License-Identifier: MIT
/** The result of a campaign of faults for people and for programs. Pure. */
import { missingLine, short, tableRow } from '../campaign/markdown.ts';
import type { FaultResult } from './campaign.ts';
import type { Outcome } from './judgement.ts';

/** Content of reports/faults.json. */
export interface FaultsFile {
  version: 1;
  startTime: string;
  /** Of the whole campaign. */
  seconds: number;
  guest: string;
  /** Faults that were to be brought about. */
  wanted: number;
  counts: Record<Outcome, number>;
  faults: FaultResult[];
}

const order: readonly Outcome[] = ['wrong', 'not-injected', 'not-run', 'right'];

export function faultsFile(
  faults: readonly FaultResult[],
  run: Pick<FaultsFile, 'startTime' | 'seconds' | 'guest' | 'wanted'>,
): FaultsFile {
  const counts = Object.fromEntries(order.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
  for (const { outcome } of faults) counts[outcome] += 1;
  return { version: 1, ...run, counts, faults: [...faults] };
}

export function faultsText(file: FaultsFile): string {
  const { counts, faults, wanted, seconds, guest, startTime } = file;
  const sorted = faults.toSorted((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome));
  return [
    '# Faults of the lab: what the rig says when it is not the driver',
    '',
    `${counts.right} of ${faults.length - counts['not-run']} ended as they should: ${counted(counts)}.`,
    ...missingLine(wanted - faults.length),
    `${startTime}, ${seconds} s on ${guest}.`,
    '',
    '| fault | what breaks | when | what has to come of it | outcome | what came of it | s |',
    '| --- | --- | --- | --- | --- | --- | ---: |',
    ...sorted.map(row),
    '',
  ].join('\n');
}

function counted(counts: Record<Outcome, number>): string {
  return order.map((outcome) => `${outcome} ${counts[outcome]}`).join(', ');
}

function row({ id, what, when, must, outcome, happened, wrong, seconds }: FaultResult): string {
  const said = wrong.length === 0 ? happened : `WRONG: ${wrong.join('; ')}. ${happened}`;
  return tableRow([id, what, when, must, outcome, long(said), String(seconds)]);
}

/** The cause is the point of this table: it has room for more than the others. */
function long(text: string): string {
  return text.length > 700 ? `${text.slice(0, 699)}…` : text;
}

/** One line for the terminal. */
export function lineOf({ id, outcome, happened, wrong, seconds }: FaultResult): string {
  return `${id} ${outcome} (${seconds} s): ${short(wrong.length === 0 ? happened : wrong.join('; '))}`;
}
