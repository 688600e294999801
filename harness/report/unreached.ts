// SPDX-License-Identifier: MIT
/**
 * The reviewed list of lines that no test reaches: why each is not, by file, function and text, since
 * numbers change with every edit. An entry that does not fit any more is as wrong as a line without one.
 * Pure.
 */
import type { FileRun } from '../measure/lines-run.ts';

/** A place of the list, or a line of the source. */
export interface Place {
  file: string;
  function: string;
  /** The line without the blanks around it. */
  text: string;
}

export interface Entry extends Place {
  reason: string;
}

export interface Unreached {
  explained: (Entry & { line: number })[];
  unexplained: (Place & { line: number })[];
  /** Entries of lines that are reached, or that do not exist. */
  stale: Entry[];
}

/**
 * `# reason` in one or more lines, then the places it is the reason of: `FILE FUNCTION: TEXT`.
 * @throws SyntaxError naming the line that is neither
 */
export function parseUnreached(text: string): Entry[] {
  const entries: Entry[] = [];
  let reason: string[] = [];
  let inReason = false;
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    if (line.startsWith('#')) {
      if (!inReason) reason = [];
      inReason = true;
      reason.push(line.slice(1).trim());
      continue;
    }
    inReason = false;
    const [, file, name, place] = /^(\S+) (\w+): (.+)$/.exec(line) ?? [];
    if (file === undefined || name === undefined || place === undefined || reason.length === 0)
      throw new SyntaxError(`line ${index + 1} is no \`FILE FUNCTION: TEXT\` behind a \`# reason\`: ${line}`);
    entries.push({ file, function: name, text: place.trim(), reason: reason.join(' ') });
  }
  return entries;
}

/** @param sources the lines of each file */
export function compareUnreached(
  files: readonly FileRun[],
  sources: Readonly<Record<string, readonly string[]>>,
  entries: readonly Entry[],
): Unreached {
  const missed = files.flatMap(({ file, lines }) =>
    lines
      .filter(({ count }) => count === 0)
      .map((one) => ({
        ...{ file, line: one.line, function: one.function },
        text: sources[file]?.[one.line - 1]?.trim() ?? '',
      })),
  );
  const known = new Map(entries.map((entry) => [keyOf(entry), entry]));
  const needed = new Set(missed.map(keyOf));
  return {
    explained: missed.flatMap((place) => {
      const entry = known.get(keyOf(place));
      return entry === undefined ? [] : [{ ...place, reason: entry.reason }];
    }),
    unexplained: missed.filter((place) => !known.has(keyOf(place))),
    stale: entries.filter((entry) => !needed.has(keyOf(entry))),
  };
}

function keyOf(place: Place): string {
  return `${place.file} ${place.function}: ${place.text}`;
}
