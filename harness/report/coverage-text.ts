// SPDX-License-Identifier: MIT
/** The coverage page as Markdown. */
import type { Coverage, CoverageRow } from './coverage-rows.ts';

const words: Record<Coverage, string> = {
  checked: 'checked',
  'not-run': 'not run',
  missing: '**missing**',
  'not-applicable': 'not applicable',
};

/** A table for each property, under a line that sums all up. */
export function coverageText(rows: readonly CoverageRow[]): string {
  const count = (coverage: Coverage) => rows.filter((row) => row.coverage === coverage).length;
  const groups = grouped(rows);
  const sum =
    `${rows.length} properties: ${count('checked')} checked, ${count('not-run')} not run, ` +
    `${count('missing')} missing, ${count('not-applicable')} not applicable.`;
  return ['# Coverage of the catalogue', '', sum, ...groups.flatMap(tableOf), ''].join('\n');
}

function tableOf([group, rows]: readonly [string, readonly CoverageRow[]]): string[] {
  return [
    '',
    `## ${group}`,
    '',
    '| id | claim | in this run | verdicts | strategies | witnesses | why not |',
    '|---|---|---|---|---|---|---|',
    ...rows.map((row) =>
      [
        '',
        row.id,
        row.claim,
        words[row.coverage],
        Object.entries(row.verdicts)
          .map(([verdict, times]) => `${times} ${verdict}`)
          .join(', '),
        row.strategies.join(', '),
        row.witnesses.join(', '),
        row.reasons.join('; '),
        '',
      ]
        .map(escaped)
        .join(' | ')
        .trim(),
    ),
  ];
}

function grouped(rows: readonly CoverageRow[]): (readonly [string, CoverageRow[]])[] {
  const names = [...new Set(rows.map(({ id }) => id.slice(0, 3)))];
  return names.map((name) => [name, rows.filter(({ id }) => id.startsWith(name))] as const);
}

/** A message of several lines, or with a bar, must not break the table. */
function escaped(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|');
}
