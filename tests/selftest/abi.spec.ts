// SPDX-License-Identifier: MIT
/**
 * One ABI, written down twice: driver/uapi/contigbuf.h and harness/profile/contigbuf-abi.ts. A C
 * program says what the header means to a compiler, and that is compared with what the rig believes.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test as base } from '@playwright/test';
import { runOk } from '../../harness/process.ts';
import * as abi from '../../harness/profile/contigbuf-abi.ts';
import { Layout } from '../../harness/profile/layout.ts';

const uapi = fileURLToPath(new URL('../../driver/uapi', import.meta.url));
const bytesOf = { u32: 4, s32: 4, u64: 8 } as const;

const test = base.extend<{ folder: string }>({
  // oxlint-disable-next-line no-empty-pattern
  folder: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'bufrig-abi-'));
    await use(folder);
    await rm(folder, { recursive: true });
  },
});

const constants: Record<string, number> = Object.fromEntries(
  Object.values(abi)
    .filter((exported) => !Array.isArray(exported) && !(exported instanceof Layout))
    .flatMap((table) => (typeof table === 'object' ? Object.entries(table) : []))
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
);

/** The header's structures, each with its fields, in the order they are declared. */
async function declared(): Promise<Map<string, string[]>> {
  const header = await readFile(join(uapi, 'contigbuf.h'), 'utf8');
  const structures = header.matchAll(/^struct (\w+) \{\n([^}]*)\};/gm);
  return new Map(
    [...structures].map(([, name = '', body = '']) => [
      name,
      [...body.matchAll(/(\w+);/g)].map(([, field = '']) => field),
    ]),
  );
}

/** Runs `lines` of C inside main() of a program that includes the header; gives the JSON it prints. */
async function ask(folder: string, lines: readonly string[]): Promise<Record<string, unknown>> {
  const source = join(folder, 'ask.c');
  const program = join(folder, 'ask');
  const text = `#include <stddef.h>
#include <stdio.h>
#include <contigbuf.h>
#define FIELD(s, f) (sizeof(((struct s *)0)->f))
#define SIGNED(s, f) (((__typeof__(((struct s *)0)->f))-1) < 0)
int main(void)
{
	printf("{");
	${lines.join('\n\t')}
	printf("\\"\\": 0}");
}
`;
  await writeFile(source, text);
  await runOk(['gcc', '-Wall', '-Werror', '-I', uapi, source, '-o', program]);
  const said: Record<string, unknown> = JSON.parse((await runOk([program])).stdout);
  delete said[''];
  return said;
}

const print = (key: string, format: string, ...values: string[]): string =>
  `printf(${JSON.stringify(`"${key}": ${format},`)}, ${values.join(', ')});`;

test('every layout has the size, the offsets and the types that the header gives it', async ({ folder }) => {
  const lines = abi.layouts.flatMap(({ name, fields }) => [
    print(name, '%zu', `sizeof(struct ${name})`),
    ...fields.map(([field]) =>
      print(
        `${name}.${field}`,
        '[%zu, %zu, %d]',
        `offsetof(struct ${name}, ${field})`,
        `FIELD(${name}, ${field})`,
        `SIGNED(${name}, ${field})`,
      ),
    ),
  ]);
  const believed = abi.layouts.flatMap((layout): [string, unknown][] => [
    [layout.name, layout.bytes],
    ...[...layout.offsets()].map(({ name, type, offset }): [string, unknown] => [
      `${layout.name}.${name}`,
      [offset, bytesOf[type], type.startsWith('s') ? 1 : 0],
    ]),
  ]);
  expect(await ask(folder, lines)).toEqual(Object.fromEntries(believed));
});

test('no layout leaves a field out, and each is in the table once', async () => {
  const header = await declared();
  expect(header.size).toBeGreaterThan(6);
  for (const { name, fields } of abi.layouts) {
    expect(header.get(name), name).toEqual(fields.map(([field]) => field));
  }
  const exported = Object.values(abi).filter((value) => value instanceof Layout);
  expect(new Set<unknown>(abi.layouts)).toEqual(new Set<unknown>(exported));
});

test('requests and enumerations have the numbers that the header gives them', async ({ folder }) => {
  expect(Object.keys(constants).length).toBeGreaterThan(15);
  const lines = Object.keys(constants).map((name) => print(name, '%lu', `(unsigned long)(${name})`));
  expect(await ask(folder, lines)).toEqual(constants);
});

test('every request and every value of the header is known to the rig', async () => {
  const header = await readFile(join(uapi, 'contigbuf.h'), 'utf8');
  const names = [
    ...[...header.matchAll(/^#define (CONTIGBUF_IOC_\w+)\s+_IO/gm)].map(([, name]) => name),
    ...[...header.matchAll(/^\t(CONTIGBUF_\w+) = \d+,/gm)].map(([, name]) => name),
  ];
  expect(names.length).toBeGreaterThan(15);
  expect(Object.keys(constants)).toEqual(expect.arrayContaining(names));
});
