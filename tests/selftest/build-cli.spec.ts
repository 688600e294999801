// SPDX-License-Identifier: MIT
/** The command line: what it does before there are packages, what it says, and what its last line counts. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WriteStream } from 'node:tty';
import { expect, test, type TestInfo } from '@playwright/test';
import { diagnose } from '../../harness/cli/checks.ts';
import { forgetResults, readTally } from '../../harness/cli/results.ts';
import { Terminal } from '../../harness/cli/terminal.ts';
import type { Context } from '../../harness/cli/verb.ts';
import { verbs } from '../../harness/cli/verbs.ts';
import { LabError } from '../../harness/errors.ts';
import { run } from '../../harness/process.ts';

const door = fileURLToPath(new URL('../../harness/cli/bufrig.mjs', import.meta.url));

interface Locked {
  version: string;
  integrity?: string;
  optional?: boolean;
}

/** A checkout with these packages locked and installed, whose `npm` only leaves a note that it was called. */
async function startIn(info: TestInfo, locked: Record<string, Locked>, installed?: Record<string, Locked>) {
  const files: Record<string, string> = {
    'package-lock.json': JSON.stringify({ packages: { '': { version: '1.0.0' }, ...locked } }),
    'bin/npm': `#!/bin/sh\necho "npm $*" > "${info.outputPath('called')}"\nexit 3\n`,
  };
  if (installed !== undefined) {
    files['node_modules/.package-lock.json'] = JSON.stringify({ packages: installed });
    files['node_modules/tsx/package.json'] = '{ "exports": { "./esm/api": "./api.mjs" } }';
    files['node_modules/tsx/api.mjs'] = 'export const register = () => {};';
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(info.outputPath(name)), { recursive: true });
    await writeFile(info.outputPath(name), text, { mode: 0o755 });
  }
  await mkdir(info.outputPath('harness/cli'), { recursive: true });
  await copyFile(door, info.outputPath('harness/cli/bufrig.mjs'));
  await writeFile(info.outputPath('harness/cli/package.json'), '{ "type": "module" }');
  const result = await run([process.execPath, info.outputPath('harness/cli/bufrig.mjs'), 'help'], {
    env: { PATH: `${info.outputPath('bin')}:/usr/bin:/bin` },
  });
  const called = await readFile(info.outputPath('called'), 'utf8').catch(() => '');
  return { ...result, called };
}

const same = { version: '1.2.3', integrity: 'sha512-x' };

test.describe('node_modules', () => {
  for (const { what, locked, installed } of [
    { what: 'is not there', locked: { 'node_modules/a': same }, installed: undefined },
    {
      what: 'lacks a package',
      locked: { 'node_modules/a': same, 'node_modules/b': same },
      installed: { 'node_modules/a': same },
    },
    {
      what: 'has another version',
      locked: { 'node_modules/a': same },
      installed: { 'node_modules/a': { ...same, version: '1.2.4' } },
    },
    {
      what: 'has other contents',
      locked: { 'node_modules/a': same },
      installed: { 'node_modules/a': { ...same, integrity: 'sha512-y' } },
    },
    { what: 'has a package too many', locked: {}, installed: { 'node_modules/a': same } },
  ]) {
    test(`that ${what} is installed from the lock file, and a failure of that ends it`, async ({}, info) => {
      const { code, called, stderr } = await startIn(info, locked, installed);
      expect(called).toMatch(/^npm ci /);
      expect(code).toBe(2);
      expect(stderr).toContain(
        'the npm packages could not be installed: npm ended with status 3\nTry: npm ci',
      );
    });
  }

  test('that is as locked is left alone, without the packages of other systems', async ({}, info) => {
    const locked = { 'node_modules/a': same, 'node_modules/for-another-system': { ...same, optional: true } };
    const { called, stderr } = await startIn(info, locked, { 'node_modules/a': same });
    expect(called).toBe('');
    // It went on to the TypeScript, which this checkout does not have.
    expect(stderr).toContain('main.ts');
  });
});

test('a verb that does not exist is refused with those that do', async () => {
  const { code, stderr } = await run([process.execPath, door, 'fly']);
  expect(code).toBe(2);
  expect(stderr).toContain(`bufrig has no verb fly; it has ${Object.keys(verbs).join(', ')}`);
});

test('the help names every verb', async () => {
  const { code, stdout } = await run([process.execPath, door, '--help']);
  expect(code).toBe(0);
  for (const name of Object.keys(verbs)) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
});

test.describe('the last line of npm test', () => {
  test('counts verdicts; what went wrong outside of tests failed', async ({}, info) => {
    const red = [{ verdict: 'crash' }, { verdict: 'infra' }];
    const summary = { claims: { pass: 5, crash: 1 }, rig: { pass: 2 }, red, errors: [{ verdict: 'infra' }] };
    expect(await tallyOf(info, summary)).toEqual({ passed: 7, failed: 3 });
  });

  for (const report of [
    '',
    '{',
    '{}',
    '{"claims": {"pass": "5"}, "rig": {"pass": 1}, "red": [], "errors": []}',
    'null',
  ]) {
    test(`is not made up from ${JSON.stringify(report)}`, async ({}, info) => {
      await expect(tallyOf(info, report)).rejects.toMatchObject({ code: 'NO_RESULTS' });
    });
  }

  test('is not that of an earlier run', async ({}, info) => {
    await tallyOf(info, { claims: { pass: 1 }, rig: { pass: 0 }, red: [], errors: [] });
    await forgetResults(info.outputPath());
    await expect(readTally(info.outputPath())).rejects.toMatchObject({ code: 'NO_RESULTS' });
  });
});

test.describe('progress', () => {
  test('in a log is one line per step, and none is overwritten', async () => {
    const { terminal, text } = written(false);
    const value = await terminal.phase('kernel', (say) => {
      say('unpacking');
      return Promise.resolve({ value: 7, result: 'Linux 6.1' });
    });
    expect(value).toBe(7);
    expect(text()).toMatch(/^kernel: unpacking\nkernel: Linux 6\.1 \(\d+\.\d s\)\n$/);
  });

  test('on a screen stays within its width and ends in one line', async () => {
    const { terminal, text } = written(true);
    await terminal.phase('kernel', (say) => {
      say('downloading a very long list of packages indeed');
      return Promise.resolve({ value: undefined, result: 'done' });
    });
    const lines = text().split('\r\x1b[K');
    for (const line of lines) expect(line.length).toBeLessThan(40);
    expect(lines.at(-1)).toMatch(/^kernel: done \(/);
  });

  test('says which phase failed, and passes the error on', async () => {
    const { terminal, text } = written(false);
    const failing = terminal.phase('agent', () => Promise.reject(new Error('no compiler')));
    await expect(failing).rejects.toThrow('no compiler');
    expect(text()).toMatch(/^agent: failed after /);
  });
});

test('a check that throws is a finding, with the way out that the error names', async () => {
  const error = new LabError('COMPILER_MISSING', 'there is no gcc', { hint: 'install gcc' });
  const check = { name: 'compiler', look: () => Promise.reject(error) };
  expect(await diagnose(check, {} as Context)).toEqual({
    grade: 'bad',
    found: 'there is no gcc',
    fix: 'install gcc',
  });
});

/** The tally of a folder in which a run left this summary. */
async function tallyOf(info: TestInfo, report: unknown) {
  await mkdir(info.outputPath(), { recursive: true });
  await writeFile(
    info.outputPath('summary.json'),
    typeof report === 'string' ? report : JSON.stringify(report),
  );
  return readTally(info.outputPath());
}

/** A terminal of 40 columns, and what was written to it. */
function written(isTTY: boolean) {
  const pieces: string[] = [];
  const stream: Partial<WriteStream> = {
    isTTY,
    columns: 40,
    write: (text: string | Uint8Array) => pieces.push(String(text)) > 0,
  };
  return { terminal: new Terminal(stream as WriteStream), text: () => pieces.join('') };
}
