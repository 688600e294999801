// SPDX-License-Identifier: MIT
/**
 * The campaign: first the driver as it is on the checks that mutants name, then every mutant, several
 * guests at a time. A check that the driver as it is does not pass cannot find anything.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cache } from '../build/cache.ts';
import { grepFor, runSuite, type SuiteRun } from '../campaign/suite-run.ts';
import { messageOf } from '../errors.ts';
import { Defects } from './defect.ts';
import { judgeMutant, together, uncontrolled, wordsOf, type Judgement, type Tried } from './judgement.ts';
import type { Mutant } from './mutant.ts';

export interface MutantResult extends Judgement {
  id: string;
  kind: string;
  what: string;
  /** The checks that were to find it. */
  named: string[];
  /** Those that it was tried on; the last one decided, if it was found. */
  guests: readonly string[];
  /** Likewise, see {@link Mutant}. */
  strategies: readonly string[];
  /** What it waits for, or why it is equivalent. */
  argument?: string;
  seconds: number;
}

export interface CampaignOptions {
  /** Absolute path of the checkout. */
  project: string;
  cache: Cache;
  /** Folders of programs, for a kernel of the rig's own that has to be built. */
  searchPath: readonly string[];
  /** Guests at a time. */
  workers: number;
  /** Every check on the mutant's strategies, instead of those that it names. */
  full: boolean;
  /** A run ends with its first red test, also when every check is run. */
  stopEarly: boolean;
  /** Folder for what the runs leave; those of killed mutants are removed. */
  folder: string;
  signal: AbortSignal;
  environment: SuiteRun['environment'];
  /** Called when something is known, perhaps again before it has come to its end. */
  onResult: (result: MutantResult) => Promise<void>;
  onProgress: (line: string) => void;
}

/** A mutant on one of its guests. */
type Trial = Mutant & { guest: string };
type Setting = Pick<Trial, 'guest' | 'append' | 'slow'>;

interface Shared extends CampaignOptions {
  /** Guests at a time that each run may have for itself. */
  guestsEach: number;
}

/** The results, in the order of the mutants; those that an abort left out are missing. */
export async function runCampaign(
  mutants: readonly Mutant[],
  given: CampaignOptions,
): Promise<MutantResult[]> {
  const options = { ...given, guestsEach: Math.max(1, Math.floor(given.workers / mutants.length)) };
  const defects = new Defects(options.cache, options.searchPath);
  // A run of the suite has no time for that.
  await defects.prepareKernels(mutants, options.onProgress);
  const controls = await runControls(mutants, options);
  const results = new Map<Mutant, MutantResult>();
  await inParallel(mutants, options, async (mutant) => {
    const result = await judgeWith(mutant, defects, controls, options);
    if (options.signal.aborted) return;
    results.set(mutant, result);
    if (result.outcome === 'killed') await rm(folderOf(mutant.id, options), { recursive: true, force: true });
    await options.onResult(result);
  });
  return mutants.flatMap((mutant) => results.get(mutant) ?? []);
}

/** One mutant, when it is known that the driver as it is passes its checks. */
export function judgeOne(mutant: Mutant, options: CampaignOptions): Promise<MutantResult> {
  const defects = new Defects(options.cache, options.searchPath);
  return judgeWith(mutant, defects, new Map(), { ...options, guestsEach: 1 });
}

/** What of the checks that these mutants name the driver as it is does not pass, and why. */
export async function uncontrolledChecks(
  mutants: readonly Mutant[],
  options: CampaignOptions,
): Promise<Record<string, string>> {
  const controls = await runControls(mutants, { ...options, guestsEach: 1 });
  return Object.fromEntries([...controls.values()].flatMap((missing) => [...missing]));
}

/** For each setting what of the named checks the driver as it is does not pass there, with the reason. */
type Controls = ReadonlyMap<string, ReadonlyMap<string, string>>;

async function judgeWith(
  mutant: Mutant,
  defects: Defects,
  controls: Controls,
  options: Shared,
): Promise<MutantResult> {
  const begun = performance.now();
  const judgement = await judged(mutant, defects, controls, options);
  return { ...described(mutant), ...judgement, seconds: Math.round((performance.now() - begun) / 1000) };
}

/** On one guest after the other, until something is found or the diff turns out to be no defect at all. */
async function judged(
  mutant: Mutant,
  defects: Defects,
  controls: Controls,
  options: Shared,
): Promise<Judgement & Pick<MutantResult, 'guests'>> {
  const tried: Tried[] = [];
  for (const guest of await guestsFor(mutant, defects, options)) {
    const latest = tried.at(-1);
    if (latest !== undefined) options.onProgress(`${mutant.id}: ${wordsOf(latest)}; ${guest} is next`);
    tried.push(await tryOn({ ...mutant, guest }, defects, controls, options));
    if (tried.at(-1)?.open === false || options.signal.aborted) break;
  }
  return { ...together(tried), guests: tried.map(({ guest }) => guest) };
}

/** Nobody waits for a kernel to be built who did not ask for it. */
async function guestsFor({ id, guests }: Mutant, defects: Defects, options: Shared): Promise<string[]> {
  const [first, ...further] = guests;
  const chosen = [first];
  for (const guest of further) {
    if (await defects.hasKernel(guest)) chosen.push(guest);
    else options.onProgress(`${id}: ${guest} is left out, its kernel is not built (npm run kernel:debug)`);
  }
  return chosen;
}

async function tryOn(trial: Trial, defects: Defects, controls: Controls, options: Shared): Promise<Tried> {
  const { guest } = trial;
  try {
    const none = await defects.whyNone(trial);
    if (none !== undefined) {
      return { guest, outcome: 'invalid', message: none.why, others: [], open: none.onlyHere };
    }
    const judgement = await judgedOn(trial, controls, options);
    return { guest, ...judgement, open: ['survived', 'infra'].includes(judgement.outcome) };
  } catch (error) {
    return { guest, outcome: 'infra', message: messageOf(error), others: [], open: true };
  }
}

async function judgedOn(mutant: Trial, controls: Controls, options: Shared): Promise<Judgement> {
  const missing = controls.get(settingOf(mutant)) ?? new Map<string, string>();
  const usable = mutant.killedBy.filter((check) => !missing.has(check));
  const without = mutant.killedBy.map((check) => `${check}: ${missing.get(check) ?? ''}`).join('; ');
  if (usable.length === 0 && mutant.killedBy.length > 0 && !options.full) {
    if (mutant.waitsFor !== undefined) return { outcome: 'not-applicable', message: without, others: [] };
    return { outcome: 'infra', message: `the driver as it is does not pass either: ${without}`, others: [] };
  }
  const checks = options.full ? [] : usable;
  const { by, found } = await searched(mutant, checks, options);
  return argued(mutant, mutant.killedBy.length === 0 ? await confirmed(by, found, options) : found);
}

/** A run that looks for a defect. */
interface Search {
  where: string;
  /** The mutant, with what else the run needs. */
  by: Trial;
  grep: string;
}

/** On the mutant's first strategy, then on the others; what takes long is for one that nobody described. */
function searchesFor(mutant: Trial, checks: readonly string[]): Search[] {
  const [usual, ...others] = mutant.strategies;
  const searches: Search[] = [{ where: usual, by: mutant, grep: grepFor([usual], checks) }];
  if (others.length > 0) {
    const grep = grepFor(others, checks, 'of-strategies');
    searches.push({ where: `each of ${others.join(', ')}`, by: mutant, grep });
  }
  if (mutant.killedBy.length === 0 && mutant.guest === mutant.guests[0]) {
    const grep = grepFor([usual], checks, 'slow');
    searches.push({ where: 'what takes long', by: { ...mutant, slow: true }, grep });
  }
  return searches;
}

/** Until something is found. @returns that, and how it was looked for */
async function searched(
  mutant: Trial,
  checks: readonly string[],
  options: Shared,
): Promise<{ by: Trial; found: Judgement }> {
  const searches = searchesFor(mutant, checks);
  const passed: string[] = [];
  for (const [place, { where, by, grep }] of searches.entries()) {
    const found = await attempts(by, grep, checks, options);
    passed.push(`${found.message} on ${where}`);
    const next = searches[place + 1];
    if (!isContent(found) || options.signal.aborted) return { by, found };
    if (next === undefined) {
      const message = searches.length > 1 ? passed.join(', ') : found.message;
      return { by, found: { ...found, message } };
    }
    options.onProgress(`${mutant.id}: ${passed.at(-1)}, next comes ${next.where}`);
  }
  throw new TypeError('a mutant without a strategy');
}

/** Twice where the first run says nothing clear. */
async function attempts(
  mutant: Trial,
  grep: string,
  checks: readonly string[],
  options: Shared,
): Promise<Judgement> {
  // One red check is enough, and each further one costs a new guest; without a kill all are heard.
  // Where others run beside those that are named, the first red one may be none of them.
  const stopEarly = options.stopEarly && (checks.length > 0 || mutant.killedBy.length === 0);
  const first = await attempt(mutant, grep, options, checks.length > 0 || stopEarly);
  const clear = first.outcome === 'killed' || isContent(first);
  return clear || options.signal.aborted ? first : attempt(mutant, grep, options, stopEarly);
}

function isContent({ outcome, others }: Judgement): boolean {
  return outcome === 'survived' && others.length === 0;
}

/** A check that nobody named counts when the driver as it is passes it, which is seen only now. */
async function confirmed(mutant: Trial, found: Judgement, options: Shared): Promise<Judgement> {
  const checks = [found.check ?? '', ...found.others].filter((name) => /^[A-Z]{3}-\d{2}$/.test(name));
  if (found.outcome !== 'killed' || checks.length === 0) return found;
  const report = await runSuite({
    ...common(mutant, options),
    grep: grepFor(mutant.strategies, checks),
    folder: folderOf(`control-${mutant.id}`, options),
  });
  const missing = uncontrolled(checks, report);
  const sound = checks.filter((check) => !missing.has(check));
  const [check, ...others] = sound;
  const also = `the driver as it is does not pass ${[...missing.keys()].join(' ')} either`;
  if (check === undefined) return { outcome: 'infra', message: `${also}: ${found.message}`, others: [] };
  return check === found.check ? { ...found, others } : { ...found, check, message: `red; ${also}`, others };
}

async function attempt(mutant: Trial, grep: string, options: Shared, stopEarly: boolean): Promise<Judgement> {
  const report = await runSuite({
    ...common(mutant, options),
    grep,
    diff: mutant.file,
    stopEarly,
    folder: folderOf(mutant.id, options),
  });
  return judgeMutant(mutant, report);
}

/** An argument why nobody can notice it, or not yet, stands as long as nobody does. */
function argued({ equivalent, waitsFor }: Mutant, judgement: Judgement): Judgement {
  if (judgement.outcome !== 'survived') return judgement;
  if (equivalent !== undefined) return { ...judgement, outcome: 'equivalent' };
  return waitsFor === undefined ? judgement : { ...judgement, outcome: 'not-applicable' };
}

/** One run for all mutants that need the same guest. @returns for each kind of run the checks that do not count */
async function runControls(
  mutants: readonly Mutant[],
  options: Shared,
): Promise<Map<string, Map<string, string>>> {
  const settings = new Map<string, Trial[]>();
  const named = mutants.filter(({ killedBy }) => killedBy.length > 0);
  for (const trial of named.flatMap((mutant) => mutant.guests.map((guest) => ({ ...mutant, guest })))) {
    settings.set(settingOf(trial), [...(settings.get(settingOf(trial)) ?? []), trial]);
  }
  const controls = new Map<string, Map<string, string>>();
  const numbered = [...settings].map(([name, those], place) => ({ name, those, place }));
  await inParallel(numbered, options, async ({ name, those, place }) => {
    const checks = distinct(those.flatMap(({ killedBy }) => killedBy));
    const [setting] = those;
    if (setting === undefined) return;
    const strategies = distinct(those.flatMap(({ strategies: own }) => own));
    const report = await runSuite({
      ...common(setting, options),
      grep: grepFor(strategies, checks),
      folder: folderOf(`control-${place + 1}-${setting.guest}`, options),
    });
    const missing = uncontrolled(checks, report);
    controls.set(name, missing);
    const bad = [...missing].map(([check, why]) => `${check}: ${why}`);
    const how = bad.length === 0 ? `passes all ${checks.length} checks` : `does not pass ${bad.join('; ')}`;
    if (!options.signal.aborted) options.onProgress(`the driver as it is ${how} (${name})`);
  });
  return controls;
}

function common(
  { guest, append, slow }: Setting,
  { project, signal, environment, guestsEach }: Shared,
): Pick<SuiteRun, 'project' | 'signal' | 'environment' | 'guest' | 'append' | 'slow' | 'workers'> {
  return { project, signal, environment, guest, append, slow, workers: guestsEach };
}

/** Mutants with the same setting share a run of the driver as it is. */
function settingOf({ guest, append, slow }: Setting): string {
  return [guest, ...append, ...(slow ? ['slow'] : [])].join(' ');
}

function folderOf(name: string, { folder }: CampaignOptions): string {
  return join(folder, name);
}

function described({ id, kind, what, killedBy, strategies, waitsFor, equivalent }: Mutant) {
  const argument = equivalent ?? waitsFor;
  return {
    id,
    kind,
    what,
    named: killedBy,
    strategies,
    ...(argument === undefined ? {} : { argument }),
  };
}

/** Works on several at a time, in order, until all are done or the campaign is aborted. */
async function inParallel<T>(
  items: readonly T[],
  { workers, signal }: CampaignOptions,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined && !signal.aborted; item = queue.shift())
      await work(item);
  };
  await Promise.all(Array.from({ length: workers }, worker));
}

function distinct(words: readonly string[]): string[] {
  return [...new Set(words)].toSorted();
}
