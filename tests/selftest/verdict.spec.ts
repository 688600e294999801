// SPDX-License-Identifier: MIT
/** One taxonomy: what becomes of every way in which a test can end, through Playwright's real command line. */
import { expect } from '@playwright/test';
import { judgeError, judgeOutside, oneLine } from '../../harness/report/verdict.ts';
import { allureResults, claims, summaryOf, test } from './inline-claims.ts';

test.describe('one taxonomy', () => {
  test('every way in which a test can end', async ({ suites }) => {
    const run = await suites.run({
      'tests/conformance/physical-contiguity.spec.ts': claims(`
        test('GEO-01 passes', () => {});
        test('GEO-02 fails its claim', () => { expect([1, 2], 'pages').toEqual([1, 3]); });
        test('GEO-04 the lab breaks', () => { throw rigError('LabError [LINK_LOST]', 'the SSH link broke'); });
        test('GEO-07 passed, but the kernel broke', ({}, info) => {
          info.annotations.push(
            { type: 'verdict', description: 'crash' },
            { type: 'cause', description: 'KASAN: use-after-free in contigbuf_release' });
        });
        test('GEO-08 failed, because the kernel broke', ({}, info) => {
          info.annotations.push({ type: 'verdict', description: 'crash' });
          expect(1).toBe(2);
        });
        test('GEO-10 never ends', () => new Promise(() => {}));
        test('GEO-11 needs what the target lacks', () => { test.skip(true, 'the target has no IOMMU'); });
        test('BND-01 a known failure', () => { test.fail(); expect(1).toBe(2); });
        test('BND-02 a known failure that crashed', ({}, info) => {
          test.fail();
          info.annotations.push({ type: 'verdict', description: 'crash' });
          expect(1).toBe(2);
        });
        test('BND-03 a verdict that does not exist', ({}, info) => {
          info.annotations.push({ type: 'verdict', description: 'fine' });
        });
        test.describe.serial('in order', () => {
          test('BND-04 fails', () => { expect(1).toBe(2); });
          test('BND-05 is never started', () => {});
        });
      `),
      'tests/selftest/own.spec.ts': `
        import { test, expect } from '@playwright/test';
        test('the rig is well', () => {});
        test('the rig is not well', () => { expect(1).toBe(2); });
      `,
    });
    const summary = summaryOf(run);
    expect(
      Object.fromEntries(summary.red.map(({ claim, title, verdict }) => [claim || title, verdict])),
    ).toEqual({
      'GEO-02': 'fail',
      'GEO-04': 'infra',
      'GEO-07': 'crash',
      'GEO-08': 'crash',
      'GEO-10': 'hang',
      'BND-02': 'crash',
      'BND-03': 'infra',
      'BND-04': 'fail',
      'BND-05': 'not-run',
      'the rig is not well': 'fail',
    });
    expect(summary.notRun).toMatchObject([{ claim: 'GEO-11', reason: 'the target has no IOMMU' }]);
    expect(summary.claims).toEqual({
      pass: 2,
      deviates: 0,
      fail: 2,
      crash: 3,
      hang: 1,
      infra: 2,
      'not-run': 2,
    });
    expect(summary.rig).toMatchObject({ pass: 1, fail: 1 });
    expect(summary.colour).toBe('driver');
    expect(run.code).toBe(1);

    const text = run.stdout;
    expect(text).toContain(
      '8 of 12 claims checked: pass 2, deviates 0, fail 2, crash 3, hang 1, infra 2, not-run 2.',
    );
    expect(text).toContain('on qemu-arm64 (Linux 6.1.0-56-arm64 aarch64, 4 KiB pages, tcg)');
    expect(text).toContain('driver contigbuf 0.1.0 (0123abc+)');
    expect(text).toMatch(/The driver is red \(6\)\n {2}crash/);
    expect(text).toContain('KASAN: use-after-free in contigbuf_release');
    expect(text).toContain('The rig is red: mend it before believing its verdicts (1)');
    expect(text).toContain('The lab is red: these say nothing about the driver (2)');
    expect(text).toContain('LabError [LINK_LOST]: the SSH link broke');
    expect(text).toMatch(/Not run, and nobody declared why \(1\)\n {2}1 {7}never started: .*\n {10}BND-05\n/);
    expect(text).toContain('GEO-11: the target has no IOMMU');
    expect(text.trimEnd().split('\n').at(-1)).toBe('3 passed, 10 failed');

    const statuses = allureResults(run).map(({ name, status, labels }) => [
      name.split(' ')[0],
      status,
      labels.find((label) => label.name === 'verdict')?.value,
    ]);
    expect(statuses).toContainEqual(['GEO-04', 'broken', 'infra']);
    expect(statuses).toContainEqual(['GEO-07', 'failed', 'crash']);
    expect(statuses).toContainEqual(['GEO-11', 'skipped', 'not-run']);
    expect(statuses).toContainEqual(['BND-01', 'passed', 'pass']);
    expect(statuses).toContainEqual(['BND-05', 'broken', 'not-run']);

    const ktap = run.read('reports/results.ktap').split('\n');
    expect(ktap.slice(0, 6)).toEqual([
      'KTAP version 1',
      '1..2',
      '  KTAP version 1',
      '  # Subtest: qemu-arm64',
      '  1..12',
      '  ok 1 GEO-01 passes',
    ]);
    for (const line of [
      '  # infra: LabError [LINK_LOST]: the SSH link broke',
      '  not ok 3 GEO-04 the lab breaks # ERROR',
      '  # crash: KASAN: use-after-free in contigbuf_release',
      '  not ok 4 GEO-07 passed, but the kernel broke',
      '  not ok 6 GEO-10 never ends # TIMEOUT',
      '  ok 7 GEO-11 needs what the target lacks # SKIP the target has no IOMMU',
      '  not ok 12 in order › BND-05 is never started # ERROR',
      'not ok 1 qemu-arm64',
    ]) {
      expect(ktap).toContain(line);
    }
  });

  test('a red lab has a status of its own, which git bisect run takes for "skip"', async ({ suites }) => {
    const files = {
      'tests/conformance/a.spec.ts': claims(`
        test('GEO-01 passes', () => {});
        test('GEO-02 the lab breaks', () => { throw rigError('LabError [BOOT]', 'the guest did not boot'); });
      `),
    };
    const run = await suites.run(files, [], 'summary');
    expect(summaryOf(run).colour).toBe('lab');
    expect(run.code).toBe(125);
    expect(run.stdout).not.toContain('The driver is red');
    expect(run.stdout.trimEnd().split('\n').at(-1)).toBe('1 passed, 1 failed');
  });

  test('trouble outside any test is the lab’s, and red', async ({ suites }) => {
    const files = {
      'tests/conformance/a.spec.ts': `
        import { test as base } from '@playwright/test';
        const test = base.extend({
          target: [async ({}, use) => { await use(1); throw new Error('power-off failed'); }, { scope: 'worker' }],
        });
        test('GEO-01 passes', ({ target }) => {});
      `,
    };
    const run = await suites.run(files, [], 'summary');
    expect(summaryOf(run).errors).toMatchObject([{ verdict: 'infra', cause: 'power-off failed' }]);
    expect(run.code).toBe(125);
    expect(run.stdout).toContain('outside any test');
  });

  for (const [message, verdict] of [
    ['KernelCrash [KASAN]: use-after-free', 'crash'],
    ['DriverError [DRIVER_UNLOAD]: it does not unload', 'fail'],
    ['LabError [CLEAN_UP]: a used target', 'infra'],
    ['Error: expect(received).toBe(expected)', 'infra'],
    ['Error: No tests found', 'infra'],
  ] as const) {
    test(`an error outside any test: ${message}`, () => {
      expect(judgeOutside({ message }).verdict).toBe(verdict);
    });
  }

  test('a driver that breaks its word after the last test is red', async ({ suites }) => {
    const files = {
      'tests/conformance/a.spec.ts': claims(`
        const outlasting = test.extend({
          supply: [async ({}, use) => {
            await use(1);
            throw rigError('DriverError [DRIVER_UNLOAD]', 'it does not unload');
          }, { scope: 'worker' }],
        });
        outlasting('GEO-01 passes', ({ supply }) => {});
      `),
    };
    const run = await suites.run(files, [], 'summary');
    expect(summaryOf(run)).toMatchObject({
      colour: 'driver',
      claims: { pass: 1 },
      errors: [{ verdict: 'fail' }],
    });
    expect(run.code).toBe(1);
  });

  test('what breaks because the run was interrupted says nothing about the lab', async ({ suites }) => {
    const run = await suites.run({
      'tests/conformance/physical-contiguity.spec.ts': claims(`
        test.afterEach(() => { throw rigError('LabError [LINK_LOST]', 'the rig dropped the connection'); });
        test('GEO-01 is under way', async () => {
          process.kill(process.ppid, 'SIGINT');
          await new Promise(() => {});
        });
      `),
    });
    expect(run.code).toBe(130);
    expect(summaryOf(run).red).toMatchObject([{ claim: 'GEO-01', verdict: 'not-run', cause: 'interrupted' }]);
  });

  test('a retry heals a red lab, and nothing else', async ({ suites }) => {
    const files = {
      'tests/conformance/a.spec.ts': claims(`
        test('GEO-01 the lab breaks once', ({}, info) => {
          if (info.retry === 0) throw rigError('LabError [BOOT]', 'the guest did not boot');
        });
        test('GEO-02 the kernel breaks once', ({}, info) => {
          if (info.retry === 0) throw rigError('KernelCrash [OOPS]', 'Oops in release');
        });
      `),
    };
    const run = await suites.run(files, ['--retries=1'], 'summary');
    expect(summaryOf(run).claims).toMatchObject({ pass: 1, crash: 1, infra: 0 });
    expect(run.code).toBe(1);
  });

  for (const [message, verdict] of [
    ['KernelCrash [OOPS]: Oops', 'crash'],
    ['\u001b[31mLabError [BOOT]\u001b[39m: no boot', 'infra'],
    ['Error: \u001b[2mexpect(\u001b[22mreceived).toBe(expected)', 'fail'],
    ['Error: buffer 3\n\nexpect(mapping).toBeContiguous()', 'fail'],
    ['Error: connect ECONNREFUSED 127.0.0.1:22', 'infra'],
    ['Error: spawn qemu-system-aarch64 ENOENT', 'infra'],
    ['Error: spawn E2BIG', 'infra'],
    ['Error: ENOSPC: no space left on device, write', 'infra'],
    ['Error: EIO: i/o error, write', 'infra'],
    ['Error: write\n\nexpect(call).toFailWith()\n\nmust-fail: it failed with EIO, expected EINVAL', 'fail'],
    ['SyscallError: write: EIO (request: write 5 00)', 'fail'],
    ['DriverError [EPERM]: it refused', 'fail'],
    ['TargetHang [SILENT]: no answer', 'hang'],
    ['TypeError: Cannot read properties of undefined', 'infra'],
    ['Fixture "boot target" timeout of 2000ms exceeded during setup.', 'infra'],
    ['"beforeAll" hook timeout of 2000ms exceeded.', 'infra'],
    ['Test timeout of 120000ms exceeded while setting up "viewer".', 'infra'],
    ['Tearing down "agent" exceeded the test timeout of 120000ms.', 'hang'],
    ['Test timeout of 30000ms exceeded.', 'hang'],
    ['Error: worker process exited unexpectedly (code=1, signal=null)', 'infra'],
    ['Error: something else', 'fail'],
  ] as const) {
    test(`an error by itself: ${message.replaceAll('\u001b', '').split('\n')[0]}`, () => {
      expect(judgeError({ message }).verdict).toBe(verdict);
    });
  }

  for (const [what, message, line] of [
    ['no assertion', 'Error: connect ECONNREFUSED\n    at x.ts:1', 'connect ECONNREFUSED'],
    [
      'two values',
      'Error: pages\n\nexpect(received).toBe(expected)\n\nExpected: 2\nReceived: 3\n',
      'pages: Expected: 2, Received: 3',
    ],
    [
      'two lists',
      'Error: expect(received).toEqual(expected)\n\n- Expected  - 0\n+ Received  + 1\n\n  Array [\n    -1,\n+   40,\n  ]\n',
      'Expected: nothing more, Received: 40',
    ],
    [
      'two objects',
      'Error: expect(received).toEqual(expected)\n\n- Expected  - 1\n+ Received  + 1\n\n  Object {\n-   "errno": "EINVAL",\n+   "ok": 0,\n  }\n',
      'Expected: "errno": "EINVAL", Received: "ok": 0',
    ],
  ] as const) {
    test(`an error in one line: ${what}`, () => {
      expect(oneLine({ message })).toBe(line);
    });
  }
});
