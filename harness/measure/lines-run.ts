// SPDX-License-Identifier: MIT
/** Which lines of a program ran how often, added up over machines. Pure. */

/** Among the reports: a folder with a file of {@link FileRun}s for each target of the run. */
export const linesRunFolder = 'lines-run';

/** A line with code of its own. */
export interface LineRun {
  line: number;
  /** The function it belongs to. */
  function: string;
  /** Times it ran. */
  count: number;
  /** Times that each way out of it was taken, where there is more than one. */
  branches: number[];
}

/** One source file, by its name in the module's folder. */
export interface FileRun {
  file: string;
  lines: LineRun[];
}

export interface Share {
  covered: number;
  total: number;
}

/** The same files, every line counted once; lines and files that only some know are kept. */
export function addUp(all: readonly FileRun[]): FileRun[] {
  const files = new Map<string, Map<string, LineRun>>();
  for (const { file, lines } of all) {
    const known = files.get(file) ?? new Map<string, LineRun>();
    files.set(file, known);
    // One line can be code in several functions, or in several object files.
    for (const one of lines) {
      const key = `${one.line} ${one.function}`;
      const before = known.get(key);
      known.set(key, before === undefined ? { ...one, branches: [...one.branches] } : sum(before, one));
    }
  }
  return [...files]
    .map(([file, lines]) => ({ file, lines: [...lines.values()].toSorted((a, b) => a.line - b.line) }))
    .toSorted((a, b) => (a.file < b.file ? -1 : 1));
}

export function linesOf(files: readonly FileRun[]): Share {
  const lines = files.flatMap((file) => file.lines);
  return { covered: lines.filter(({ count }) => count > 0).length, total: lines.length };
}

export function branchesOf(files: readonly FileRun[]): Share {
  const branches = files.flatMap((file) => file.lines.flatMap((line) => line.branches));
  return { covered: branches.filter((count) => count > 0).length, total: branches.length };
}

/** In percent. */
export function percent({ covered, total }: Share): number {
  return total === 0 ? 0 : (100 * covered) / total;
}

function sum(a: LineRun, b: LineRun): LineRun {
  const count = Math.max(a.branches.length, b.branches.length);
  const branches = Array.from({ length: count }, (_, i) => (a.branches[i] ?? 0) + (b.branches[i] ?? 0));
  return { ...a, count: a.count + b.count, branches };
}
