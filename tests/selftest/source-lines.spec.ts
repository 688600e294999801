// SPDX-License-Identifier: MIT
/** From a back trace of a module to lines of its source: the tables, and a real object file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { crossPrefix, hostArchitecture } from '../../harness/build/architectures.ts';
import { parseFunctions, sourceLines } from '../../harness/build/source-lines.ts';
import { frameOf } from '../../harness/kernel-log/frames.ts';
import { runOk } from '../../harness/process.ts';
import { decoded } from '../../harness/supply/decoded.ts';

const source = `static inline __attribute__((always_inline)) int inner(int *place)
{
	return *place;
}

__attribute__((noinline)) int outer(int *place)
{
	int sum = inner(place);
	return sum + 1;
}
`;

test('a frame is read as the kernel prints it', () => {
  expect(frameOf(' contigbuf_probe+0x124/0x2b0 [contigbuf]')).toEqual({
    symbol: 'contigbuf_probe',
    offset: 0x124,
    size: 0x2b0,
    module: 'contigbuf',
    returns: true,
  });
  expect(frameOf('pc : release.part.0+0x4/0x20 [contigbuf]')).toMatchObject({ returns: false });
  expect(frameOf('RIP: 0010:release+0x4/0x20 [contigbuf 0123abcd]')).toMatchObject({ module: 'contigbuf' });
  expect(frameOf(' do_sys_open+0x1/0x2')?.module).toBeUndefined();
  // What the kernel is not sure of is not a frame.
  expect(frameOf(' ? release+0x4/0x20 [contigbuf]')).toBeUndefined();
  expect(frameOf('contigbuf: loaded')).toBeUndefined();
});

test('the table of functions holds functions only', () => {
  const table = [
    'SYMBOL TABLE:',
    '0000000000000000 l    d  .text\t0000000000000000 .text',
    '0000000000000104 l     F .text\t00000000000002b0 contigbuf_probe',
    '0000000000000000 g     F .init.text\t00000000000001c0 .hidden init_module',
    '0000000000000000         *UND*\t0000000000000000 kfree',
  ];
  expect(parseFunctions(table.join('\n'))).toEqual([
    { name: 'contigbuf_probe', section: '.text', start: 0x104, size: 0x2b0 },
    { name: 'init_module', section: '.init.text', start: 0, size: 0x1c0 },
  ]);
});

test('a place in an object file has its line of source, through inlined functions', async ({}, testInfo) => {
  const folder = testInfo.outputPath('module');
  mkdirSync(folder, { recursive: true });
  const object = join(folder, 'thing.ko');
  writeFileSync(join(folder, 'thing.c'), source);
  const architecture = hostArchitecture();
  await runOk([`${crossPrefix(architecture)}gcc`, '-g', '-O0', '-c', 'thing.c', '-o', object], {
    cwd: folder,
  });
  const module = { name: 'thing', file: object, architecture, source: folder };
  const at = { symbol: 'outer', offset: 1, size: 0, returns: true };
  // Which instruction belongs to which line is the compiler's choice.
  const places = Array.from({ length: 40 }, (_, offset) => ({ ...at, offset, returns: false }));
  const lines = await Promise.all(places.map((place) => sourceLines(module, place)));
  const told = lines.map((chain) => chain.map((line) => line.replace(/^.*\//, '')).join(' in '));
  expect(told).toContain('thing.c:3 in thing.c:8');

  expect(await sourceLines(module, { ...at, symbol: 'nowhere' })).toEqual([]);
  expect(await sourceLines({ ...module, file: join(folder, 'missing.ko') }, at)).toEqual([]);

  const [ours, another] = await decoded([' outer+0x1/0x6 [thing]', ' outer+0x1/0x6 [another]'], module);
  expect(ours).toMatch(/^ outer\+0x1\/0x6 \[thing\] at .*thing\.c:\d+/);
  expect(another).toBe(' outer+0x1/0x6 [another]');
});
