// SPDX-License-Identifier: MIT
/** Several runs side by side, as a table in Markdown: drivers and kernels across, properties down. Pure. */
import type { CoverageRow } from './coverage-rows.ts';
import type { Verdict } from './verdict.ts';

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

/** Runs of parts of the suite, of one driver on one kernel, as one run of all of them. */
export function joined(runs: readonly ComparedRun[]): ComparedRun[] {
  const whole = new Map<string, ComparedRun>();
  for (const run of runs) {
    const name = `${run.driver} ${run.kernelRelease}`;
    const before = whole.get(name);
    whole.set(name, before === undefined ? run : { ...run, rows: joinedRows(before.rows, run.rows) });
  }
  return [...whole.values()];
}

function joinedRows(some: readonly CoverageRow[], more: readonly CoverageRow[]): CoverageRow[] {
  const added = more.filter(({ id }) => !some.some((row) => row.id === id));
  const both = some.map((row) => {
    const verdicts = { ...row.verdicts };
    const others = more.find(({ id }) => id === row.id)?.verdicts ?? {};
    for (const [verdict, count] of Object.entries(others) as [Verdict, number][]) {
      verdicts[verdict] = (verdicts[verdict] ?? 0) + count;
    }
    return { ...row, verdicts };
  });
  return [...both, ...added];
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
