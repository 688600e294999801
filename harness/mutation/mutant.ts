// SPDX-License-Identifier: MIT
/**
 * Mutants of the driver: each is one defect as a unified diff, with a few lines before it that say
 * what it is, which checks have to find it, and what they need for that. driver/mutants/ has ours.
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LabError } from '../errors.ts';
import { strategyNames } from '../profile/profile.ts';
import { catalogue } from '../report/catalogue.ts';
import type { Verdict } from '../report/verdict.ts';
import { guests } from '../target/guests.ts';

export interface Mutant {
  /** Name of its file, for example `P07`. */
  id: string;
  /** The kind of mistake, as in `bounds`; empty for a diff that does not say. */
  kind: string;
  /** The mistake, in a sentence. */
  what: string;
  /** Absolute path of the diff. */
  file: string;
  /** All of the file; what comes before the diff is ignored by patch(1). */
  diff: string;
  /** Ids of the checks one of which has to find it. Empty: any check may. */
  killedBy: string[];
  /**
   * Projects of playwright.config.ts whose guests it is tried on, one after the other until something is
   * found; those after the first if their kernel is there. One for a mutant that is described.
   */
  guests: readonly [string, ...string[]];
  /** Further kernel arguments. */
  append: string[];
  /**
   * The ways of naming buffers on which checks are run that are there for each: those after the first only
   * when nothing was found. One for a mutant that is described, all for any other diff.
   */
  strategies: readonly [string, ...string[]];
  /** What counts as found. `crash` only where the defect is one that breaks the kernel, or nobody says what it is. */
  verdicts: Verdict[];
  /** Its checks are among those that take long. */
  slow: boolean;
  /** What the rig has to have before it can be found at all. */
  waitsFor?: string;
  /** Why nobody could ever notice it. */
  equivalent?: string;
}

const USUAL_STRATEGY = 'fd-per-buffer';
/** Where parts of a driver do something that the default guest has no use for. */
const FURTHER_GUESTS = [
  // Large pages.
  'qemu-arm64-newest',
  // No CMA; and what is handed over between CPU and device is copied.
  'qemu-amd64-bounce',
  // What the device tree says: memory set aside, with pages of the kernel's and without, a device that sees caches,
  // or that does not reach all memory.
  'qemu-arm64-reserved',
  'qemu-arm64-reserved-no-map',
  'qemu-arm64-coherent',
  'qemu-arm64-narrow-bus',
  'qemu-arm64-16k',
  // 32 bits, and 32-bit programs.
  'qemu-armhf',
  'qemu-arm64-compat',
  // Looks into the kernel itself: use after free, races, sleeping where that is not allowed.
  'qemu-arm64-debug',
];
const FIELDS = ['Killed-by', 'Guest', 'Append', 'Strategy', 'Verdict', 'Slow', 'Waits-for', 'Equivalent'];

/** All mutants of a folder, by id. @throws LabError `MUTANT` for one whose description makes no sense */
export async function mutantsIn(folder: string): Promise<Mutant[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.diff'));
  names.sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
  return Promise.all(names.map((name) => mutantFrom(join(folder, name))));
}

/** @throws LabError `MUTANT` when the file cannot be read, is no diff, or its description makes no sense */
export async function mutantFrom(file: string): Promise<Mutant> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new LabError('MUTANT', `${file} cannot be read`, {
      cause,
      hint: 'give the path of a unified diff',
    });
  });
  return parseMutant(file, text);
}

/** @param file absolute path, for the id and for messages */
export function parseMutant(file: string, text: string): Mutant {
  const start = text.search(/^--- /m);
  if (start === -1 || !/^\+\+\+ /m.test(text)) {
    throw bad(file, 'is no unified diff', 'git diff -- driver/module driver/uapi > FILE makes one');
  }
  const [title = '', ...lines] = text.slice(0, start).split('\n');
  const described = /^P\d{2,3} /.test(title);
  const fields = described ? fieldsIn(file, lines) : new Map<string, string>();
  const [, kind = '', what = ''] = /^P\d{2,3} ([^:]+): (.*)$/.exec(title) ?? [];
  const waitsFor = fields.get('Waits-for');
  const equivalent = fields.get('Equivalent');
  const mutant: Mutant = {
    id: basename(file).replace(/\.(diff|patch)$/, ''),
    kind,
    what,
    file,
    diff: text,
    killedBy: wordsOf(fields.get('Killed-by')),
    guests: described ? [fields.get('Guest') ?? guests[0].name] : [guests[0].name, ...FURTHER_GUESTS],
    append: wordsOf(fields.get('Append')),
    strategies: described ? [fields.get('Strategy') ?? USUAL_STRATEGY] : allStrategies(),
    verdicts: ['fail', ...(!described || fields.get('Verdict') === 'crash' ? (['crash'] as const) : [])],
    slow: fields.get('Slow') === 'yes',
    ...(waitsFor === undefined ? {} : { waitsFor }),
    ...(equivalent === undefined ? {} : { equivalent }),
  };
  if (described) insistOnSense(mutant, title);
  return mutant;
}

function allStrategies(): Mutant['strategies'] {
  return [USUAL_STRATEGY, ...strategyNames.filter((name) => name !== USUAL_STRATEGY)];
}

function fieldsIn(file: string, lines: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of lines.filter((each) => each.trim() !== '')) {
    const [, name = '', value = ''] = /^([A-Z][a-z-]+): (.+)$/.exec(line) ?? [];
    if (!FIELDS.includes(name)) throw bad(file, `has a line that is none of ${FIELDS.join(', ')}: ${line}`);
    fields.set(name, value);
  }
  return fields;
}

function insistOnSense({ file, id, kind, what, killedBy, guests: needed }: Mutant, title: string): void {
  if (!title.startsWith(`${id} `) || kind === '' || what === '') {
    throw bad(file, `begins with "${title}"`, `begin with "${id} kind: what is wrong"`);
  }
  if (killedBy.length === 0) throw bad(file, 'does not say which check has to find it', 'add Killed-by:');
  const unknown = killedBy.filter((check) => catalogue[check] === undefined);
  if (unknown.length > 0) throw bad(file, `names checks that are not in the catalogue: ${unknown.join(' ')}`);
  const nobodys = needed.filter((guest) => !guests.some(({ name }) => name === guest));
  if (nobodys.length > 0) throw bad(file, `needs a guest that nobody knows: ${nobodys.join(' ')}`);
}

function wordsOf(text = ''): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

function bad(file: string, what: string, hint?: string): LabError {
  return new LabError('MUTANT', `${file} ${what}`, { hint });
}
