// SPDX-License-Identifier: MIT
/** What the reporters leave behind, through Playwright's real command line: measurements, Allure. */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from '@playwright/test';
import { measurementOf } from '../../harness/measure/measurement.ts';
import { run as runProgram, type Result } from '../../harness/process.ts';
import { withoutAnalytics } from '../../harness/report/allure.ts';
import type { MeasurementsFile } from '../../harness/report/measurements.ts';
import {
  allureResults,
  claims,
  driver,
  summaryOf,
  target,
  test,
  type AllureAttachment,
  type AllureStep,
} from './inline-claims.ts';

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
