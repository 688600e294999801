// SPDX-License-Identifier: MIT
/** Runs Playwright's real command line on a small suite in a folder of its own, with the rig's reporters. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Deadline } from '../../harness/deadline.ts';
import { run, type Result } from '../../harness/process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface InlineRun extends Result {
  /** The text of a file the run left behind, by its path in the folder. */
  read(path: string): string;
  list(folder: string): string[];
  exists(path: string): boolean;
  /** Keeps this run's folder and runs the same suite again. */
  again(...argv: string[]): Promise<InlineRun>;
}

/** Temporary folders with suites in them; `close` removes them all. */
export class InlineSuites {
  readonly #folders: string[] = [];

  /**
   * Runs a suite.
   * @param files spec files by path, for example `tests/conformance/x.spec.ts`
   * @param argv further arguments of `playwright test`
   * @param reports whether all reporters run, or only the summary
   */
  async run(
    files: Record<string, string>,
    argv: readonly string[] = [],
    reports: 'all' | 'summary' = 'all',
  ): Promise<InlineRun> {
    const folder = mkdtempSync(join(tmpdir(), 'bufrig-inline-'));
    this.#folders.push(folder);
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    write(folder, 'package.json', '{ "type": "module" }');
    write(folder, 'playwright.config.ts', configOf(reports));
    for (const [path, text] of Object.entries(files)) write(folder, path, text);
    return this.#again(folder, argv);
  }

  async #again(folder: string, argv: readonly string[]): Promise<InlineRun> {
    const cli = join(root, 'node_modules', '.bin', 'playwright');
    const result = await run([cli, 'test', ...argv], {
      cwd: folder,
      env: withoutOuterRun(),
      deadline: Deadline.in(120_000),
    });
    return {
      ...result,
      read: (path) => readFileSync(join(folder, path), 'utf8'),
      list: (path) => readdirSync(join(folder, path)),
      exists: (path) => readdirSync(join(folder, dirname(path))).includes(path.split('/').at(-1) ?? ''),
      again: (...more) => this.#again(folder, more),
    };
  }

  close(): void {
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }
}

function write(folder: string, path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** What the runner around us set up for its own workers is removed for the one we start. */
export function withoutOuterRun(): Record<string, undefined> {
  const names = Object.keys(process.env).filter((name) =>
    /^(PLAYWRIGHT|PW|TEST_|NODE_OPTIONS|CI$)/.test(name),
  );
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

const own = (name: string) => [join(root, 'harness', 'report', `${name}.ts`), { output: 'reports' }];

function configOf(reports: 'all' | 'summary'): string {
  const reporters = [
    ['line'],
    own('allure'),
    ['allure-playwright', { resultsDir: 'reports/allure-results' }],
    own('measurements'),
    own('ktap'),
    own('summary'),
  ];
  return `
    import { defineConfig } from '@playwright/test';
    export default defineConfig({
      testDir: 'tests',
      outputDir: 'test-results',
      workers: 1,
      timeout: 1000,
      reporter: ${JSON.stringify(reports === 'all' ? reporters : reporters.slice(-1))},
      projects: [
        { name: 'qemu-arm64', testMatch: 'conformance/**/*.spec.ts' },
        { name: 'selftest', testMatch: 'selftest/**/*.spec.ts' },
      ],
    });
  `;
}
