// SPDX-License-Identifier: MIT
/** Several runs side by side, as a table in Markdown: drivers and kernels across, properties down. Pure. */
import type { CoverageRow } from './coverage-rows.ts';

export interface ComparedRun {
  driver: string;
  /** `uname -r`. */
  kernelRelease: string;
  rows: readonly CoverageRow[];
}

/**
 * One column for each run. Properties that hold wherever they were checked share the last line, so that
 * what the drivers differ in is in view.
 */
export function comparisonText(runs: readonly ComparedRun[]): string {
  const ids = [...new Set(runs.flatMap(({ rows }) => rows.map(({ id }) => id)))];
  const remarkable = ids.filter((id) => runs.some((run) => !['holds', ''].includes(cellOf(run, id))));
  const others = ids.filter((id) => !remarkable.includes(id));
  const holding = (run: ComparedRun) => others.filter((id) => cellOf(run, id) === 'holds').length;
  return [
    line(['', ...runs.map(({ driver }) => driver)]),
    line(['---', ...runs.map(() => '---')]),
    line(['Linux', ...runs.map(({ kernelRelease }) => kernelRelease)]),
    ...remarkable.map((id) => line([`${id} ${claimOf(runs, id)}`, ...runs.map((run) => cellOf(run, id))])),
    line([`others that hold, of ${others.length}`, ...runs.map((run) => String(holding(run)))]),
    '',
  ].join('\n');
}

/** In one word; empty when it was not checked. */
function cellOf({ rows }: ComparedRun, id: string): string {
  const verdicts = rows.find((row) => row.id === id)?.verdicts ?? {};
  const red = (['crash', 'fail', 'hang', 'infra'] as const).find(
    (verdict) => verdicts[verdict] !== undefined,
  );
  if (red !== undefined) return `**${red}**`;
  if (verdicts.deviates !== undefined) return 'deviates';
  return verdicts.pass === undefined ? '' : 'holds';
}

function claimOf(runs: readonly ComparedRun[], id: string): string {
  return runs.flatMap(({ rows }) => rows.find((row) => row.id === id)?.claim ?? [])[0] ?? '';
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
