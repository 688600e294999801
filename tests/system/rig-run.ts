// SPDX-License-Identifier: MIT
/** Runs the rig as a user does: its real command line in a process of its own, with its own reports. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JSONReport, JSONReportSuite } from '@playwright/test/reporter';
import { Deadline } from '../../harness/deadline.ts';
import { endOf, startOwned, type Ending } from '../../harness/process.ts';
import type { RunSummary } from '../../harness/report/run-summary.ts';
import { withoutOuterRun } from '../selftest/inline-run.ts';

export const projectFolder = fileURLToPath(new URL('../..', import.meta.url));

/** Where Playwright keeps what it compiled; its own choice would be the temporary folder. */
const COMPILED = join(tmpdir(), `playwright-transform-cache-${process.getuid?.() ?? 0}`);
/** Milliseconds for one run, unless it says otherwise; on an idle machine a minute is enough. */
const RUN_LIMIT = 500_000;
/** Milliseconds for one that was told to end. */
const STOP_LIMIT = 30_000;

export interface RigOptions {
  project: string;
  /** Milliseconds. */
  limit?: number;
  /** Another file than the rig's own playwright.config.ts. */
  config?: string;
  /** Selects tests, as on the command line; all of the project unless given. */
  grep?: string;
  /** Leaves tests out, likewise. */
  grepInvert?: string;
  /** 1 unless given. */
  workers?: number;
  /** The rig's own variables. */
  env?: Record<string, string>;
}

/** A test as results.json has it. */
export interface Ran {
  title: string;
  /** The spec file. */
  file: string;
  status: 'skipped' | 'expected' | 'unexpected' | 'flaky';
  /** Milliseconds, of the last attempt. */
  duration: number;
  /** Of all attempts. */
  errors: string[];
  attachments: { name: string; path?: string | undefined }[];
  annotations: { type: string; description?: string | undefined }[];
}

export interface RigResult extends Ending {
  /** Everything it printed. */
  output: string;
  seconds: number;
  summary: RunSummary;
  tests: Ran[];
}

/** A run of the rig that has not ended. */
export class RigRun {
  /** Holds everything the run leaves behind on purpose. */
  readonly folder: string;
  /** Where it makes what is temporary. */
  readonly temporary: string;
  readonly #process: ChildProcess;
  readonly #limit: number;
  readonly #ended: Promise<Ending>;
  readonly #began = performance.now();
  #output = '';

  constructor(folder: string, options: RigOptions) {
    const { project, config, grep, grepInvert, workers = 1, limit = RUN_LIMIT, env } = options;
    this.#limit = limit;
    this.folder = mkdtempSync(join(folder, 'run-'));
    this.temporary = join(this.folder, 'tmp');
    mkdirSync(this.temporary);
    const argv = ['test', `--project=${project}`, `--workers=${workers}`];
    argv.push('--output', join(this.folder, 'output'));
    if (config !== undefined) argv.push('--config', config);
    if (grep !== undefined) argv.push('--grep', grep);
    if (grepInvert !== undefined) argv.push('--grep-invert', grepInvert);
    const playwright = join(projectFolder, 'node_modules', '.bin', 'playwright');
    this.#process = startOwned([playwright, ...argv], {
      cwd: projectFolder,
      env: {
        ...process.env,
        ...withoutOuterRun(),
        ...withoutOwnSettings(),
        BUFRIG_REPORTS: join(this.folder, 'reports'),
        TMPDIR: this.temporary,
        PWTEST_CACHE_DIR: COMPILED,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (chunk: Buffer): void => void (this.#output += chunk.toString());
    this.#process.stdout?.on('data', keep);
    this.#process.stderr?.on('data', keep);
    this.#ended = endOf(this.#process, 'the rig');
  }

  /** Process id of the runner. */
  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error('the rig did not start');
    return pid;
  }

  /** Everything it printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Waits until it prints this. */
  async says(text: string): Promise<void> {
    const deadline = Deadline.in(this.#limit);
    while (!this.#output.includes(text)) {
      if (deadline.expired || this.#process.exitCode !== null)
        throw new Error(`the run never said ${JSON.stringify(text)}:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits for the runner's end, whatever that is. */
  async ended(): Promise<Ending> {
    try {
      return await Deadline.in(this.#limit).race(this.#ended, 'a run of the rig');
    } finally {
      // Whoever is late still writes, and what it writes is about to be removed.
      this.#process.kill('SIGTERM');
      await Deadline.in(STOP_LIMIT)
        .race(this.#ended, 'the end of a run of the rig')
        .catch(() => {});
    }
  }

  /** Waits for its end and reads its reports. */
  async result(): Promise<RigResult> {
    const ending = await this.ended();
    const seconds = (performance.now() - this.#began) / 1000;
    const summary = this.#report('summary.json') as RunSummary;
    const results = this.#report('results.json') as JSONReport;
    return { ...ending, output: this.#output, seconds, summary, tests: results.suites.flatMap(testsOf) };
  }

  #report(name: string): unknown {
    try {
      return JSON.parse(readFileSync(join(this.folder, 'reports', name), 'utf8'));
    } catch (cause) {
      throw new Error(`the run left no ${name}; it said:\n${this.#output}`, { cause });
    }
  }
}

/** Runs of one test; `close` removes what they left behind on purpose. */
export class Rig {
  readonly folder = mkdtempSync(join(tmpdir(), 'bufrig-system-'));

  start(options: RigOptions): RigRun {
    return new RigRun(this.folder, options);
  }

  run(options: RigOptions): Promise<RigResult> {
    return this.start(options).result();
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Which machine and driver this run is about is for this run to say. The cache is shared. */
function withoutOwnSettings(): Record<string, undefined> {
  const names = Object.keys(process.env).filter(
    (name) => name.startsWith('BUFRIG_') && name !== 'BUFRIG_CACHE',
  );
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

function testsOf(suite: JSONReportSuite): Ran[] {
  const own = suite.specs.flatMap(({ title, file, tests }) =>
    tests.map(({ status, results, annotations }): Ran => ({
      title,
      file,
      status,
      duration: results.at(-1)?.duration ?? Number.NaN,
      errors: results.flatMap(({ errors }) => errors.map(({ message }) => message ?? '')),
      attachments: results.flatMap(({ attachments }) => attachments),
      annotations,
    })),
  );
  return [...own, ...(suite.suites ?? []).flatMap(testsOf)];
}
