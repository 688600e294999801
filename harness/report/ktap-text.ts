// SPDX-License-Identifier: MIT
/**
 * A run in KTAP (the kernel's Documentation/dev-tools/ktap.rst), so that it reads in the tools kernel
 * people have: one test per project, its tests beneath it, the verdict and its cause as diagnostics.
 */
import type { Outcome } from './outcome.ts';
import { isRed, type Judged } from './verdict.ts';

/** @returns the whole file; nested results are indented by two spaces for each level */
export function ktapText(outcomes: readonly Outcome[]): string {
  const projects = [...new Set(outcomes.map(({ project }) => project))];
  const lines = projects.flatMap((name, place) => {
    const tests = outcomes.filter(({ project }) => project === name);
    return projectLines(name, tests, place + 1);
  });
  return `${['KTAP version 1', `1..${projects.length}`, ...lines].join('\n')}\n`;
}

function projectLines(name: string, tests: readonly Outcome[], number: number): string[] {
  const red = tests.some(({ judged }) => isRed(judged));
  return [
    '  KTAP version 1',
    `  # Subtest: ${description(name)}`,
    `  1..${tests.length}`,
    ...tests.flatMap(({ title, judged }, place) => testLines(title, judged, place + 1)).map(indented),
    `${red ? 'not ok' : 'ok'} ${number} ${description(name)}`,
  ];
}

function testLines(title: string, judged: Judged, number: number): string[] {
  const status = isRed(judged) ? 'not ok' : 'ok';
  const why = judged.verdict === 'pass' ? [] : [`# ${judged.verdict}: ${oneLine(judged.cause)}`];
  return [...why, `${status} ${number} ${description(title)}${directive(judged)}`];
}

/** The specification's own words for a test that gave no answer of its own. */
function directive({ verdict, cause, undeclared }: Judged): string {
  if (verdict === 'hang') return ' # TIMEOUT';
  if (verdict === 'infra' || undeclared) return ' # ERROR';
  // A failure that is expected; why stands in the diagnostics.
  if (verdict === 'deviates') return ' # TODO';
  return verdict === 'not-run' ? ` # SKIP ${oneLine(cause)}` : '';
}

/** A description may not hold what begins a directive, nor a second line. */
function description(text: string): string {
  return oneLine(text).replaceAll('#', '\\#');
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

function indented(line: string): string {
  return `  ${line}`;
}
