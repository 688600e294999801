// SPDX-License-Identifier: MIT
/** Physical runs: the longest stretches of a buffer whose pages follow one another in physical memory. */
import type { Placement } from './observation.ts';
import { hex, pageRange, size } from './wording.ts';

/** Pages `firstPage` to `firstPage + pageCount - 1` of a buffer, which lie in one piece. */
export interface Run {
  firstPage: number;
  pageCount: number;
  /** Physical address of the first byte. */
  physicalAddress: number;
}

/** Cuts a buffer into its runs. `pages[i]` is the physical address of page i. */
export function runsOf(pages: readonly number[], pageBytes: number): Run[] {
  const runs: Run[] = [];
  for (const [page, physicalAddress] of pages.entries()) {
    const run = runs.at(-1);
    if (run !== undefined && physicalAddress === run.physicalAddress + run.pageCount * pageBytes) {
      run.pageCount += 1;
    } else {
      runs.push({ firstPage: page, pageCount: 1, physicalAddress });
    }
  }
  return runs;
}

/** `pages 0-1023 at 0x5800_0000 (4 MiB)`. */
export function describeRun(run: Run, pageBytes: number): string {
  const where = `${pageRange(run.firstPage, run.pageCount)} at ${hex(run.physicalAddress)}`;
  return `${where} (${size(run.pageCount * pageBytes)})`;
}

/**
 * One line per run; of a buffer in many pieces the first `limit` and a count of the rest.
 * @param pages physical address of each page
 */
export function describeRuns(pages: readonly number[], pageBytes: number, limit = 8): string {
  const runs = runsOf(pages, pageBytes);
  const lines = runs.slice(0, limit).map((run) => describeRun(run, pageBytes));
  const rest = runs.slice(limit);
  if (rest.length > 0) {
    const restPages = rest.reduce((sum, run) => sum + run.pageCount, 0);
    lines.push(`and ${rest.length} more run${rest.length === 1 ? '' : 's'} (${size(restPages * pageBytes)})`);
  }
  return lines.join('\n');
}

/** `the driver had claimed 16 MiB at 0x5800_0000`, or that it claimed nothing. */
export function describeClaim({ claimed }: Pick<Placement, 'claimed'>): string {
  if (claimed.physicalAddress === undefined && claimed.bytes === undefined) {
    return 'the driver had claimed nothing about where it lies';
  }
  const bytes = claimed.bytes === undefined ? 'a buffer' : size(claimed.bytes);
  const where = claimed.physicalAddress === undefined ? '' : ` at ${hex(claimed.physicalAddress)}`;
  return `the driver had claimed ${bytes}${where}`;
}
