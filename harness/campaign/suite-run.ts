// SPDX-License-Identifier: MIT
/** A run of the suite for a campaign: the rig's real command line in a process of its own, with its own reports. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JSONReport, JSONReportSuite } from '@playwright/test/reporter';
import { Deadline } from '../deadline.ts';
import { LabError } from '../errors.ts';
import { endOf, run, startOwned, type Ending } from '../process.ts';
import type { CoverageRow } from '../report/coverage-rows.ts';
import type { RunSummary } from '../report/run-summary.ts';

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
  /** Regular expression on the titles; all of them without one. */
  grep?: string;
  /** Guests at a time. */
  workers: number | 'as-configured';
  append: readonly string[];
  slow: boolean;
  /** File of the diff; the driver as it is without one. */
  diff?: string;
  /** Ends with the first red test. */
  stopEarly?: boolean;
  /** Folder that gets everything the run leaves; emptied first. */
  folder: string;
  /** Folder for what tests leave, such as their evidence; in `folder` unless given. */
  output?: string;
  /** When aborted, the run takes its guest down and ends. */
  signal: AbortSignal;
  environment: Readonly<Record<string, string | undefined>>;
  /** Variables of the run beside those of the environment that are not the rig's. */
  variables?: Readonly<Record<string, string>>;
}

/** A test of a run, as Playwright's own report has it. */
export interface Ran {
  /** With its describe blocks, as in `fd-per-buffer › GEO-03 …`. */
  title: string;
  status: 'skipped' | 'expected' | 'unexpected' | 'flaky';
  /** Milliseconds, of the last attempt. */
  duration: number;
  /** Of all attempts. */
  errors: string[];
}

/** What a run left; what it did not leave is missing. */
export interface SuiteReport {
  summary?: RunSummary;
  coverage?: readonly CoverageRow[];
  tests?: readonly Ran[];
  /** The end of what it printed. */
  said: string;
  ending: Ending;
}

/** A run that goes on. */
export interface SuiteChild {
  /** Process id of the runner. */
  pid: number;
  /** What it printed, the end of it. */
  said(): string;
  /** Sends it a signal. */
  kill(signal: NodeJS.Signals): void;
  report: Promise<SuiteReport>;
}

/**
 * Tests of these checks, or of all: those that are there for each way of naming buffers, with these only.
 * Playwright matches against the file, the describe blocks, each with its tags, and the title.
 * @param which `of-strategies` leaves out what is there only once, `slow` all that does not take long
 */
export function grepFor(
  strategies: readonly string[],
  checks: readonly string[] = [],
  which: 'all' | 'of-strategies' | 'slow' = 'all',
): string {
  const ids = checks.length === 0 ? '[A-Z]{3}-\\d\\d' : `(.* )?(${checks.join('|')})\\b`;
  const strategy = `((${strategies.join('|')}) @\\S+ )${which === 'of-strategies' ? '' : '?'}`;
  return `\\.spec\\.ts ${strategy}(?=[A-Z]{3}-\\d\\d)${ids}${which === 'slow' ? '.*@slow\\b' : ''}`;
}

/** Runs the suite to its end. What it left is what it says: a run without reports is no result, and no error. */
export async function runSuite(run: SuiteRun): Promise<SuiteReport> {
  return (await startSuite(run)).report;
}

/** {@link runSuite}, for whoever has something to do meanwhile. */
export async function startSuite(run: SuiteRun): Promise<SuiteChild> {
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
  // Who was aborted before hears nothing of it any more.
  if (run.signal.aborted) stop();
  const concluded = async (): Promise<SuiteReport> => {
    try {
      const ending = await Deadline.in(RUN_LIMIT).race(ended, `running the suite in ${run.guest}`);
      return { ...(await reportIn(run.folder)), said, ending };
    } finally {
      run.signal.removeEventListener('abort', stop);
      if (child.exitCode === null && child.signalCode === null) stop();
    }
  };
  const report = concluded();
  if (child.pid === undefined) {
    await report;
    throw new LabError('SPAWN_FAILED', 'playwright did not start');
  }
  return { pid: child.pid, said: () => said, kill: (signal) => void child.kill(signal), report };
}

/** Why this selects no test at all, in Playwright's words; undefined when it selects some. Nothing runs. */
export async function whyNoTests(
  selection: Pick<SuiteRun, 'project' | 'guest' | 'grep' | 'variables'>,
): Promise<string | undefined> {
  const { project, guest, grep, variables = {} } = selection;
  const listing = [...playwrightOf(project, guest, grep), '--list'] as const;
  const { code, stdout, stderr } = await run(listing, { cwd: project, env: variables });
  const said = `${stderr}\n${stdout}`.split('\n').filter((line) => !/^ +at /.test(line));
  return code === 0 ? undefined : said.join('\n').trim();
}

async function reportIn(folder: string): Promise<Pick<SuiteReport, 'summary' | 'coverage' | 'tests'>> {
  const summary = await json<RunSummary>(join(folder, 'summary.json'));
  const coverage = await json<{ rows: CoverageRow[] }>(join(folder, 'coverage.json'));
  const results = await json<JSONReport>(join(folder, 'results.json'));
  return {
    ...(summary === undefined ? {} : { summary }),
    ...(coverage === undefined ? {} : { coverage: coverage.rows }),
    ...(results === undefined ? {} : { tests: results.suites.flatMap((suite) => testsOf(suite)) }),
  };
}

/** @param blocks the describe blocks around it; the outermost suite is the file */
function testsOf(suite: JSONReportSuite, blocks: readonly string[] = []): Ran[] {
  const own = suite.specs.flatMap(({ title, tests }) =>
    tests.map(({ status, results }): Ran => ({
      title: [...blocks, title].join(' › '),
      status,
      duration: results.at(-1)?.duration ?? 0,
      errors: results.flatMap(({ errors }) => errors.map(({ message }) => message ?? '')),
    })),
  );
  return [...own, ...(suite.suites ?? []).flatMap((inner) => testsOf(inner, [...blocks, inner.title]))];
}

function playwrightOf(project: string, guest: string, grep: string | undefined): [string, ...string[]] {
  const playwright = join(project, 'node_modules', '.bin', 'playwright');
  return [playwright, 'test', `--project=${guest}`, ...(grep === undefined ? [] : ['--grep', grep])];
}

function argvOf(suite: SuiteRun): [string, ...string[]] {
  const { project, guest, grep, workers, folder, output, stopEarly } = suite;
  return [
    ...playwrightOf(project, guest, grep),
    ...['--output', output ?? join(folder, 'output')],
    ...(workers === 'as-configured' ? [] : [`--workers=${workers}`]),
    ...(stopEarly === true ? ['--max-failures=1'] : []),
  ];
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
    ...run.variables,
  };
}

async function json<T>(file: string): Promise<T | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text === '') return undefined;
  try {
    const value: T = JSON.parse(text);
    return value;
  } catch {
    // Half a file is what a full disk leaves.
    return undefined;
  }
}
