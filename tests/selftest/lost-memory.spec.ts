// SPDX-License-Identifier: MIT
/** What kmemleak tells of a module that is gone: addresses, which become lines of source again. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { crossPrefix, hostArchitecture } from '../../harness/build/architectures.ts';
import { placeAt } from '../../harness/build/source-lines.ts';
import { runOk } from '../../harness/process.ts';
import { decodedAfterwards } from '../../harness/supply/decoded.ts';
import { offsetInCode } from '../../harness/supply/lost-memory.ts';

const SOURCE = `__attribute__((noinline)) int first(int number)
{
	return number + 1;
}

__attribute__((noinline)) int second(int number)
{
	return first(number) * 3;
}
`;
/** Where the kernel had put the code. */
const CODE = 0xffff_8000_7a02_0000n;

test('an address in the code that is gone is told as its distance from the beginning', () => {
  expect(offsetInCode('    [<ffff80007a020010>] 0xffff80007a020010', CODE)).toBe(16);
  expect(offsetInCode('    [<ffff80007a01fff0>] 0xffff80007a01fff0', CODE)).toBeUndefined();
  expect(offsetInCode('    [<ffff80008022e1b4>] kmalloc_trace+0x154/0x1e0', CODE)).toBeUndefined();
  expect(offsetInCode('  comm "agent", pid 85, jiffies 4294904511', CODE)).toBeUndefined();
});

test('its frames become places and lines of source', async ({}, testInfo) => {
  const folder = testInfo.outputPath('module');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'thing.c'), SOURCE);
  const architecture = hostArchitecture();
  const object = join(folder, 'thing.ko');
  await runOk([`${crossPrefix(architecture)}gcc`, '-g', '-O0', '-c', 'thing.c', '-o', object], {
    cwd: folder,
  });
  expect(readFileSync(object).length).toBeGreaterThan(0);
  const module = { name: 'thing', file: object, architecture, source: folder };
  expect(await placeAt(module, 2)).toMatchObject({ symbol: 'first', offset: 2, returns: true });
  expect(await placeAt(module, 1_000_000)).toBeUndefined();
  const { size = 0 } = (await placeAt(module, 2)) ?? {};
  const address = (CODE + BigInt(size) + 4n).toString(16);
  const lines = ['  backtrace:', `    [<${address}>] 0x${address}`];
  const [head, frame] = await decodedAfterwards(lines, module, CODE);
  expect(head).toBe('  backtrace:');
  expect(frame).toMatch(/^ {4}second\+0x4\/0x[0-9a-f]+ \[thing\] at .*thing\.c:[67]$/);
});
