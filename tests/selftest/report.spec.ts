// SPDX-License-Identifier: MIT
/** The reporters, through Playwright's real command line: verdicts, exit status, measurements, Allure. */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test as base } from '@playwright/test';
import { measurementOf } from '../../harness/measure/measurement.ts';
import { run as runProgram, type Result } from '../../harness/process.ts';
import { withoutAnalytics } from '../../harness/report/allure.ts';
import type { MeasurementsFile } from '../../harness/report/measurements.ts';
import type { RunSummary } from '../../harness/report/run-summary.ts';
import { judgeError } from '../../harness/report/verdict.ts';
import { InlineSuites, type InlineRun } from './inline-run.ts';

const test = base.extend<{ suites: InlineSuites }>({
  suites: async ({}, use) => {
    const suites = new InlineSuites();
    await use(suites);
    suites.close();
  },
});

const target = JSON.stringify({
  name: 'qemu-arm64',
  kernelRelease: '6.1.0-56-arm64',
  machine: 'aarch64',
  pageBytes: 4096,
  bootId: '1',
  details: { accelerator: 'tcg', QEMU: '7.2.22' },
});
const driver = JSON.stringify({ profile: 'contigbuf', version: '0.1.0', commit: '0123abc+' });

/** A spec file whose tests have a target and a driver, as fixtures would say. */
function claims(body: string): string {
  return `
    import { test, expect } from '@playwright/test';
    test.beforeEach(({}, info) => {
      info.annotations.push(
        { type: '_target', description: ${JSON.stringify(target)} },
        { type: '_driver', description: ${JSON.stringify(driver)} },
      );
    });
    const rigError = (name, message) => Object.assign(new Error(message), { name });
    ${body}
  `;
}

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
    expect(text).toContain('The lab is red: these say nothing about the driver (3)');
    expect(text).toContain('LabError [LINK_LOST]: the SSH link broke');
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
    ['Error: ENOSPC: no space left on device, write', 'infra'],
    ['DriverError [EPERM]: it refused', 'fail'],
    ['TargetHang [SILENT]: no answer', 'hang'],
    ['TypeError: Cannot read properties of undefined', 'infra'],
    ['Fixture "boot target" timeout of 2000ms exceeded during setup.', 'infra'],
    ['"beforeAll" hook timeout of 2000ms exceeded.', 'infra'],
    ['Test timeout of 30000ms exceeded.', 'hang'],
    ['Error: worker process exited unexpectedly (code=1, signal=null)', 'infra'],
    ['Error: something else', 'fail'],
  ] as const) {
    test(`an error by itself: ${message.replaceAll('\u001b', '').split('\n')[0]}`, () => {
      expect(judgeError({ message }).verdict).toBe(verdict);
    });
  }
});

test.describe('reports', () => {
  const measurement = measurementOf({
    id: 'PRF-01/offset-cookie/4MiB',
    title: 'sequential read of 4 MiB',
    unit: 'MB/s',
    better: 'higher',
    samples: [100, 104, 98, 101, 99, 102, 103],
    baseline: { title: 'anonymous memory', samples: [100, 100, 100, 100, 100, 100, 100] },
    context: { target: 'qemu-arm64', kernel: '6.1.0-56-arm64', accelerator: 'tcg' },
  });
  const suite = {
    'tests/conformance/physical-contiguity.spec.ts': claims(`
      const attach = (name, contentType, body) => test.info().attach(name, { contentType, body });
      test('GEO-03 lies in one piece', { tag: '@offset-cookie' }, async () => {
        await attach('observation', 'application/json', '{"pages":[1476395008]}');
        await attach('kernel log', 'text/plain', 'contigbuf: loaded');
        await test.step('sign every page', async () => {
          await attach('layout', 'image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"/>');
        });
      });
      test('PRF-01 reads fast', async ({}, info) => {
        info.annotations.push({ type: 'story', description: 'throughput' });
        await attach('measurement', 'application/json', ${JSON.stringify(JSON.stringify(measurement))});
      });
    `),
    'tests/selftest/own.spec.ts': `import { test } from '@playwright/test'; test('is well', () => {});`,
  };

  test('a green run: summary, measurements, one Allure file with the evidence that asks nothing of the network', async ({
    suites,
  }) => {
    const run = await suites.run(suite);
    expect(run.stdout + run.stderr).toContain('3 passed, 0 failed');
    expect(run.code).toBe(0);
    expect(summaryOf(run).colour).toBe('green');

    const file: MeasurementsFile = JSON.parse(run.read('reports/measurements.json'));
    expect(file.measurements).toEqual([
      { ...measurement, test: expect.objectContaining({ title: 'PRF-01 reads fast', verdict: 'pass' }) },
    ]);
    expect(file.run).toMatchObject({ targets: [JSON.parse(target)], drivers: [JSON.parse(driver)] });
    const metrics: { key: string; value: number }[] = JSON.parse(
      run.read('reports/allure-results/bufrig-perf.json'),
    );
    expect(metrics.map(({ key, value }) => [key, value])).toEqual([
      ['qemu-arm64.PRF-01/offset-cookie/4MiB', 101],
      ['qemu-arm64.PRF-01/offset-cookie/4MiB.ratio', 1.01],
    ]);

    const page = run.read('reports/allure/index.html');
    expect(page).not.toMatch(/(src|href)="https?:/);
    expect(decoded(page)).not.toMatch(/googletagmanager|google-analytics/);
    const environment = run.read('reports/allure-results/environment.properties');
    for (const line of [
      'target=qemu-arm64',
      'kernel\\ release=6.1.0-56-arm64',
      'accelerator=tcg',
      'QEMU=7.2.22',
      'page\\ size=4096 bytes',
      'driver=contigbuf 0.1.0 (0123abc+)',
    ]) {
      expect(environment).toContain(line);
    }
    expect(decoded(page)).toContain('contigbuf 0.1.0 (0123abc+)');

    const results = allureResults(run);
    const labels = (name: string) =>
      Object.fromEntries(
        results.find((result) => result.name.startsWith(name))?.labels.map((l) => [l.name, l.value]) ?? [],
      );
    expect(labels('GEO-03')).toMatchObject({
      epic: 'Claims about contigbuf',
      story: 'physical contiguity',
      verdict: 'pass',
      claim: 'GEO-03',
      target: 'qemu-arm64',
      tag: 'offset-cookie',
    });
    expect(labels('PRF-01')).toMatchObject({ story: 'throughput' });
    expect(labels('is well')).toMatchObject({ epic: 'The rig itself', story: 'own' });

    const evidence = attachmentsOf(results.find(({ name }) => name.startsWith('GEO-03')));
    const contents = evidence.map(({ name, source }) => [name, run.read(`reports/allure-results/${source}`)]);
    expect(contents).toContainEqual(['observation', '{"pages":[1476395008]}']);
    expect(contents).toContainEqual(['kernel log', 'contigbuf: loaded']);
    expect(contents).toContainEqual(['layout', expect.stringContaining('<svg')]);
    expect(decoded(page)).toContain('contigbuf: loaded');
    expect(decoded(page)).toContain('physical contiguity');

    // Listing the tests touches nothing, and the next run starts afresh.
    const listed = await run.again('--list');
    expect(listed.stdout).toContain('Total: 3 tests');
    expect(listed.stdout).not.toContain('passed,');
    expect(allureResults(listed)).toHaveLength(3);
    const second = await run.again('--grep=GEO-03');
    expect(allureResults(second)).toHaveLength(1);
    expect(second.code).toBe(0);
  });

  test('a report that cannot be made leaves the run red and the other reports whole', async ({ suites }) => {
    const run = await suites.run({
      'tests/conformance/a.spec.ts': claims(`
        test('PRF-01 measures nonsense', async ({}, info) => {
          await info.attach('measurement', { contentType: 'application/json', body: 'not JSON' });
        });
      `),
    });
    expect(run.code).not.toBe(0);
    expect(run.stderr).toContain('The measurements could not be written');
    expect(run.stderr).toContain('The Allure report could not be written');
    expect(summaryOf(run).claims).toMatchObject({ pass: 1 });
    expect(run.exists('reports/allure-results')).toBe(true);
  });

  for (const [file, says] of [
    ['summary.json', /infra +outside any test\n.*the summary could not be written: ENOSPC/],
    ['results.ktap', /infra +outside any test\n.*the KTAP results could not be written: ENOSPC/],
  ] as const) {
    test(`a disk that has no room for ${file} is the lab's fault, and no failure of the driver`, async ({
      suites,
    }) => {
      const run = await suites.run({
        'tests/conformance/a.spec.ts': `
          import { mkdirSync, symlinkSync } from 'node:fs';
          ${claims(`
            test('GEO-01 passes', () => {
              mkdirSync('reports', { recursive: true });
              symlinkSync('/dev/full', 'reports/${file}');
            });
          `)}
        `,
      });
      expect(run.stdout).toMatch(says);
      expect(run.stdout).toContain('The lab is red');
      expect(run.stdout).not.toContain('The driver is red');
      expect(run.stdout).toContain('1 passed, 1 failed');
      expect(run.code).toBe(125);
    });
  }

  test('a reporter that meets a full disk where nobody waits for it does not end the run; a bug does', async () => {
    const module = fileURLToPath(new URL('../../harness/report/unwritten.ts', import.meta.url));
    const rejecting = (error: string): Promise<Result> => {
      const script = `
        import { outliveFullDisk, unwrittenReports } from ${JSON.stringify(module)};
        outliveFullDisk();
        void Promise.reject(new Error(${JSON.stringify(error)}));
        setTimeout(() => console.log(unwrittenReports().join()), 10);
      `;
      return runProgram([process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script], {
        cwd: dirname(module),
        env: { NODE_OPTIONS: undefined },
      });
    };
    expect(await rejecting('ENOSPC: no space left on device, write')).toMatchObject({
      code: 0,
      stdout: 'a report could not be written: ENOSPC: no space left on device, write\n',
    });
    expect(await rejecting('a bug')).toMatchObject({ code: 1, stdout: '' });
  });

  test('a page whose analytics moved is refused', () => {
    const snippet =
      '<script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>\n' +
      '<script>\n  window.dataLayer = window.dataLayer || [];\n</script>';
    expect(withoutAnalytics(`<head>${snippet}</head>`)).toBe('<head></head>');
    expect(() => withoutAnalytics('<script>load("//www.google-analytics.com/x")</script>')).toThrow(
      /analytics/,
    );
  });
});

interface AllureAttachment {
  name: string;
  source: string;
}

interface AllureStep {
  attachments: AllureAttachment[];
  steps: AllureStep[];
}

interface AllureResult extends AllureStep {
  name: string;
  status: string;
  labels: { name: string; value: string }[];
}

function summaryOf(run: InlineRun): RunSummary {
  return JSON.parse(run.read('reports/summary.json'));
}

function allureResults(run: InlineRun): AllureResult[] {
  return run
    .list('reports/allure-results')
    .filter((name) => name.endsWith('-result.json'))
    .map((name) => JSON.parse(run.read(`reports/allure-results/${name}`)));
}

function attachmentsOf(step: AllureStep | undefined): AllureAttachment[] {
  if (step === undefined) return [];
  return [...step.attachments, ...step.steps.flatMap(attachmentsOf)];
}

/** A single-file page with everything it carries in base64 decoded. */
function decoded(page: string): string {
  const carried = [...page.matchAll(/(?<=["',])[A-Za-z0-9+/]{8,}={0,2}(?=")/g)].map(([text]) =>
    Buffer.from(text, 'base64').toString(),
  );
  return page + carried.join('\n');
}
