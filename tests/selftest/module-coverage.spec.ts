// SPDX-License-Identifier: MIT
/** Which lines of the module ran: real counts of a real program, sums, and the reviewed list of the others. */
import { readFileSync, readdirSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { crossPrefix, hostArchitecture } from '../../harness/build/architectures.ts';
import { Cache } from '../../harness/build/cache.ts';
import { readCounts } from '../../harness/build/gcov.ts';
import { addUp, branchesOf, linesOf, percent, type FileRun } from '../../harness/measure/lines-run.ts';
import { runOk } from '../../harness/process.ts';
import { compareUnreached, parseUnreached } from '../../harness/report/unreached.ts';

const SOURCE = `int twice(int number)
{
	if (number > 100)
		return -1;
	return 2 * number;
}

int main(void)
{
	return twice(1) + twice(2) - 6;
}
`;

test('counts are read with the notes of the build', async ({}, testInfo) => {
  const folder = testInfo.outputPath('build');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'twice.c'), SOURCE);
  const compiler = `${crossPrefix(hostArchitecture())}gcc`;
  await runOk([compiler, '--coverage', '-c', 'twice.c'], { cwd: folder });
  await runOk([compiler, '--coverage', 'twice.o', '-o', 'twice'], { cwd: folder });
  await runOk([join(folder, 'twice')], { cwd: folder });
  const counts = new Map([['/anywhere/twice.gcda', readFileSync(join(folder, 'twice.gcda'))]]);
  const cache = new Cache(testInfo.outputPath('cache'));
  const files = await readCounts(cache, hostArchitecture(), folder, counts);
  expect(files.map(({ file }) => file)).toEqual(['twice.c']);
  const [file] = files;
  expect(file?.lines.filter((line) => line.function === 'twice')).toEqual([
    { line: 1, function: 'twice', count: 2, branches: [] },
    { line: 3, function: 'twice', count: 2, branches: [0, 2] },
    { line: 4, function: 'twice', count: 0, branches: [] },
    { line: 5, function: 'twice', count: 2, branches: [] },
  ]);
  // Nobody ran it: its lines count as lines all the same.
  const none = await readCounts(cache, hostArchitecture(), folder, new Map());
  expect(linesOf(none)).toEqual({ covered: 0, total: linesOf(files).total });
});

const line = (number: number, count: number, branches: number[] = []) => ({
  line: number,
  function: 'f',
  count,
  branches,
});

test('what two machines ran is added up', () => {
  const one: FileRun[] = [{ file: 'a.c', lines: [line(1, 3), line(2, 0), line(4, 0, [0, 0])] }];
  const other: FileRun[] = [
    { file: 'b.c', lines: [line(9, 1)] },
    { file: 'a.c', lines: [line(1, 1), line(2, 5), line(4, 0, [0, 2])] },
  ];
  const sum = addUp([...one, ...other]);
  expect(sum).toEqual([
    { file: 'a.c', lines: [line(1, 4), line(2, 5), line(4, 0, [0, 2])] },
    { file: 'b.c', lines: [line(9, 1)] },
  ]);
  expect(linesOf(sum)).toEqual({ covered: 3, total: 4 });
  expect(branchesOf(sum)).toEqual({ covered: 1, total: 2 });
  expect(percent(linesOf(sum))).toBe(75);
  expect(one[0]?.lines[2]?.branches).toEqual([0, 0]);
});

const LIST = `# no machine of the rig
# has such a thing
a.c f: return -EIO;

# dead
a.c f: BUG();
`;

test('a line without a reason is told, and a reason without a line', () => {
  const entries = parseUnreached(LIST);
  expect(entries.map(({ reason }) => reason)).toEqual(['no machine of the rig has such a thing', 'dead']);
  const sources = { 'a.c': ['', '\treturn -EIO;', '\treturn 0;', '\tBUG();'] };
  const files = [{ file: 'a.c', lines: [line(2, 0), line(3, 0), line(4, 7)] }];
  const { explained, unexplained, stale } = compareUnreached(files, sources, entries);
  expect(explained.map((place) => place.line)).toEqual([2]);
  expect(unexplained).toEqual([{ file: 'a.c', line: 3, function: 'f', text: 'return 0;' }]);
  expect(stale.map(({ text }) => text)).toEqual(['BUG();']);
});

test('a list that says nothing is refused', () => {
  expect(() => parseUnreached('a.c f: return;\n')).toThrow(/line 1/);
  expect(() => parseUnreached('# why\nnonsense\n')).toThrow(/line 2.*nonsense/);
});

test('every place of the driver’s list exists', () => {
  const driver = new URL('../../driver/', import.meta.url);
  const sources = readdirSync(new URL('module/', driver));
  for (const entry of parseUnreached(readFileSync(new URL('unreached.txt', driver), 'utf8'))) {
    expect(sources).toContain(entry.file);
    const lines = readFileSync(new URL(`module/${entry.file}`, driver), 'utf8').split('\n');
    expect(
      lines.map((text) => text.trim()),
      `${entry.file} ${entry.function}`,
    ).toContain(entry.text);
  }
});
