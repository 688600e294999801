// SPDX-License-Identifier: MIT
/** The module's coverage as Markdown. Pure. */
import { branchesOf, linesOf, percent, type FileRun, type Share } from '../measure/lines-run.ts';
import type { ModuleCoverage } from './module-coverage.ts';
import type { Unreached } from './unreached.ts';

/** @param unreached with the reviewed list, where there is one for this driver */
export function moduleCoverageText(
  { lines, branches, files }: ModuleCoverage,
  unreached?: Unreached,
): string {
  return [
    '# Lines of the module that ran',
    '',
    `${told(lines)} lines, ${told(branches)} branches.`,
    '',
    '| file | lines | branches | lines that did not run |',
    '|---|---|---|---|',
    ...files.map(
      (file) => `| ${file.file} | ${told(linesOf([file]))} | ${told(branchesOf([file]))} | ${missed(file)} |`,
    ),
    '',
    ...(unreached === undefined ? [] : sections(unreached)),
  ].join('\n');
}

function sections({ explained, unexplained, stale }: Unreached): string[] {
  const reasons = [...new Set(explained.map(({ reason }) => reason))];
  return [
    ...section('Not reached, and no reason given', unexplained.map(placed)),
    ...section(
      'Given a reason, and reached or gone',
      stale.map((entry) => `${entry.file} ${entry.function}: \`${entry.text}\``),
    ),
    ...reasons.flatMap((reason) =>
      section(`Not reached: ${reason}`, explained.filter((one) => one.reason === reason).map(placed)),
    ),
  ];
}

function section(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [`## ${title}`, '', ...items.map((item) => `- ${item}`), ''];
}

function placed({ file, line, text, function: name }: Unreached['unexplained'][number]): string {
  return `${file}:${line} ${name}: \`${text}\``;
}

function told(share: Share): string {
  return share.total === 0 ? '-' : `${percent(share).toFixed(1)} % (${share.covered} of ${share.total})`;
}

function missed({ lines }: FileRun): string {
  return [...new Set(lines.filter(({ count }) => count === 0).map(({ line }) => line))].join(' ');
}
