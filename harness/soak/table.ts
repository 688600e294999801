// SPDX-License-Identifier: MIT
/** The result of a soak for people and for programs. Pure. */
import { missingLine, short, tableRow } from '../campaign/markdown.ts';
import { isClean, unsteadyIn, type Round, type Unsteady } from './rounds.ts';

/** Content of reports/soak.json, after each round. */
export interface SoakFile {
  version: 1;
  project: string;
  /** Regular expression on the titles; all tests without one. */
  grep?: string;
  /** What the environment said of the driver and the target, see harness/settings.ts. */
  settings: Record<string, string>;
  /** Rounds that were wanted. */
  times: number;
  /** Rounds in which nothing was red. */
  clean: number;
  unsteady: Unsteady[];
  rounds: Round[];
}

export type Selection = Pick<SoakFile, 'project' | 'grep' | 'settings' | 'times'>;

export function soakFile(rounds: readonly Round[], selection: Selection): SoakFile {
  return {
    version: 1,
    ...selection,
    clean: rounds.filter(isClean).length,
    unsteady: unsteadyIn(rounds),
    rounds: [...rounds],
  };
}

export function soakText(file: SoakFile): string {
  const { project, grep, settings, times, clean, unsteady, rounds } = file;
  const seconds = rounds.reduce((sum, round) => sum + round.seconds, 0);
  const what = grep === undefined ? 'the whole suite' : `the tests that match \`${grep}\``;
  const how = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return [
    '# Soak: the suite again and again on healthy targets',
    '',
    `${clean} of ${rounds.length} rounds without red, ${times} wanted: ${what} on ${project}, ${seconds} s.`,
    ...(how.length === 0 ? [] : [`With ${how.join(' ')}.`]),
    ...missingLine(times - rounds.length),
    '',
    '| round | began | s | tests by verdict | red |',
    '| ---: | --- | ---: | --- | --- |',
    ...rounds.map(roundRow),
    '',
    ...(rounds.length === 0 ? ['No round has ended: nothing is known.', ''] : unsteadyText(unsteady)),
  ].join('\n');
}

function roundRow(round: Round): string {
  const { number, startTime, seconds, counts, red, evidence } = round;
  const counted = counts === undefined ? [] : Object.entries(counts).filter(([, count]) => count > 0);
  const reds = red.map(({ title, verdict, cause }) => `${title}: ${verdict}: ${short(cause)}`);
  const kept = evidence === undefined ? [] : [`evidence in ${evidence}`];
  return tableRow([
    String(number),
    startTime,
    String(seconds),
    counted.map(([verdict, count]) => `${verdict} ${count}`).join(', ') || 'none',
    [...reds, ...kept].join('; '),
  ]);
}

function unsteadyText(unsteady: readonly Unsteady[]): string[] {
  if (unsteady.length === 0) return ['Every test said the same in every round, and none was red.', ''];
  return [
    '| test that was red, or not the same in every round | rounds |',
    '| --- | --- |',
    ...unsteady.map(({ title, rounds }) =>
      tableRow([
        title,
        Object.entries(rounds)
          .map(([verdict, numbers]) => `${verdict}: ${numbers.join(' ')}`)
          .join('; '),
      ]),
    ),
    '',
  ];
}

/** One line for the terminal. */
export function lineOf(round: Round): string {
  const { number, seconds, red, counts } = round;
  const [first] = red;
  if (first === undefined) return `round ${number}: pass ${counts?.pass ?? 0}, nothing red (${seconds} s)`;
  return `round ${number}: ${red.length} red (${seconds} s): ${first.title}: ${first.verdict}: ${short(first.cause)}`;
}
