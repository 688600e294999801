// SPDX-License-Identifier: MIT
/** One run of the suite against one driver: the rig's real command line in a process of its own, with its own reports. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Deadline } from '../deadline.ts';
import { endOf, startOwned } from '../process.ts';
import type { CoverageRow } from '../report/coverage-rows.ts';
import type { RunSummary } from '../report/run-summary.ts';
import type { RunReport } from './judgement.ts';

/** Milliseconds. The whole suite with one worker takes 10 minutes, and more when every test needs a new guest. */
const RUN_LIMIT = 3 * 60 * 60_000;
/** Milliseconds for a run that was told to stop to take its guest down. */
const STOP_LIMIT = 30_000;
const SAID_BYTES = 20_000;

export interface SuiteRun {
  /** Absolute path of the checkout. */
  project: string;
  /** Of playwright.config.ts: the guest. */
  guest: string;
  /** Regular expression on the titles. */
  grep: string;
  append: readonly string[];
  slow: boolean;
  /** File of the diff; the driver as it is without one. */
  diff?: string;
  /** Ends with the first red test. */
  stopEarly?: boolean;
  /** Folder that gets everything the run leaves; emptied first. */
  folder: string;
  /** When aborted, the run takes its guest down and ends. */
  signal: AbortSignal;
  environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Tests of these checks, or of all: those that are there for each way of naming buffers, with this one only.
 * Playwright matches against the file, the describe blocks, each with its tags, and the title.
 */
export function grepFor(strategies: readonly string[], checks: readonly string[] = []): string {
  const ids = checks.length === 0 ? '[A-Z]{3}-\\d\\d' : `(.* )?(${checks.join('|')})\\b`;
  return `\\.spec\\.ts ((${strategies.join('|')}) @\\S+ )?(?=[A-Z]{3}-\\d\\d)${ids}`;
}

/** Runs the suite to its end. What it left is what it says: a run without reports is no result, and no error. */
export async function runSuite(run: SuiteRun): Promise<RunReport> {
  await rm(run.folder, { recursive: true, force: true });
  const child = startOwned(argvOf(run), {
    cwd: run.project,
    env: environmentOf(run),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const keep = (chunk: Buffer): void => void (said = `${said}${chunk.toString()}`.slice(-SAID_BYTES));
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const ended = endOf(child, 'playwright');
  const stop = (): void => {
    child.kill('SIGINT');
    setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT).unref();
  };
  run.signal.addEventListener('abort', stop, { once: true });
  try {
    await Deadline.in(RUN_LIMIT).race(ended, `running the suite in ${run.guest}`);
  } finally {
    run.signal.removeEventListener('abort', stop);
    if (child.exitCode === null && child.signalCode === null) stop();
  }
  const summary = await json<RunSummary>(join(run.folder, 'summary.json'));
  const coverage = await json<{ rows: CoverageRow[] }>(join(run.folder, 'coverage.json'));
  return {
    ...(summary === undefined ? {} : { summary }),
    ...(coverage === undefined ? {} : { coverage: coverage.rows }),
    said,
  };
}

function argvOf({ project, guest, grep, folder, stopEarly }: SuiteRun): [string, ...string[]] {
  const playwright = join(project, 'node_modules', '.bin', 'playwright');
  const where = [`--project=${guest}`, '--workers=1', '--output', join(folder, 'output')];
  return [playwright, 'test', ...where, '--grep', grep, ...(stopEarly === true ? ['--max-failures=1'] : [])];
}

/** Without what an outer run of Playwright set for itself, and without the settings of whoever started us. */
function environmentOf(run: SuiteRun): Record<string, string | undefined> {
  const inherited = Object.entries(run.environment).filter(
    ([name]) => !/^(BUFRIG_(?!CACHE$)|TEST_|PLAYWRIGHT_|PW_|NODE_OPTIONS$)/.test(name),
  );
  return {
    ...Object.fromEntries(inherited),
    BUFRIG_REPORTS: run.folder,
    FORCE_COLOR: '0',
    ...(run.diff === undefined ? {} : { BUFRIG_DRIVER_DIFF: run.diff }),
    ...(run.append.length === 0 ? {} : { BUFRIG_APPEND: run.append.join(' ') }),
    ...(run.slow ? { BUFRIG_SLOW: '1' } : {}),
  };
}

async function json<T>(file: string): Promise<T | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const value: T = JSON.parse(text);
  return value;
}
