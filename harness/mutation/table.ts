// SPDX-License-Identifier: MIT
/** The result of a campaign for people and for programs. Pure. */
import { missingLine, short, tableRow } from '../campaign/markdown.ts';
import type { MutantResult } from './campaign.ts';
import type { Outcome } from './judgement.ts';

/** Content of reports/mutation.json. */
export interface MutationFile {
  version: 1;
  startTime: string;
  /** Of the whole campaign. */
  seconds: number;
  workers: number;
  /** Mutants that were to be judged. */
  wanted: number;
  /** Killed, of all that could have been. */
  score: { killed: number; of: number };
  counts: Record<Outcome, number>;
  mutants: MutantResult[];
}

/** The order of the table: what somebody has to do something about comes first. */
const order: readonly Outcome[] = [
  'survived',
  'killed-by-another',
  'invalid',
  'infra',
  'killed',
  'equivalent',
  'not-applicable',
];

export function mutationFile(
  mutants: readonly MutantResult[],
  run: Pick<MutationFile, 'startTime' | 'seconds' | 'workers' | 'wanted'>,
): MutationFile {
  const counts = Object.fromEntries(order.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
  for (const { outcome } of mutants) counts[outcome] += 1;
  const of = mutants.length - counts.equivalent - counts['not-applicable'];
  return { version: 1, ...run, score: { killed: counts.killed, of }, counts, mutants: [...mutants] };
}

export function mutationText(file: MutationFile): string {
  const { score, counts, mutants, wanted, seconds, workers, startTime } = file;
  const counted = order.map((outcome) => `${outcome} ${counts[outcome]}`).join(', ');
  const sorted = mutants.toSorted((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome));
  return [
    '# Mutants: defects of the driver that the suite has to find',
    '',
    `${score.killed} of ${score.of} killed by a check that they name: ${counted}.`,
    ...missingLine(wanted - mutants.length),
    `${startTime}, ${seconds} s with ${workers} guests at a time.`,
    '',
    '| id | kind | what is wrong | outcome | check | message | also red | tried on | s |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | ---: |',
    ...sorted.map(row),
    '',
  ].join('\n');
}

function row({
  id,
  kind,
  what,
  outcome,
  check,
  named,
  message,
  argument,
  others,
  guests,
  strategies,
  seconds,
}: MutantResult): string {
  const checks = check ?? (named.length === 0 ? '' : `(${named.join(' ')})`);
  const said = argument === undefined ? message : `${argument}. ${message}`;
  const cells = [
    id,
    kind,
    what,
    outcome,
    checks,
    short(said),
    others.join(' '),
    [...guests, ...strategies].join(', '),
    String(seconds),
  ];
  return tableRow(cells);
}

/** One line for the terminal. */
export function lineOf({ id, outcome, check, message, seconds }: MutantResult): string {
  return `${id} ${outcome}${check === undefined ? '' : ` by ${check}`} (${seconds} s): ${short(message.split('\n', 1)[0] ?? '')}`;
}
