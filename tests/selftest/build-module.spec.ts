// SPDX-License-Identifier: MIT
/**
 * Building a module: what is wrong with a tree, a source or a diff is said at once and by name. The
 * trees here are fakes with a Makefile of our own, so that no kernel is needed.
 */
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test as base } from '@playwright/test';
import { architectureFacts, crossPrefix, hostArchitecture } from '../../harness/build/architectures.ts';
import { Cache } from '../../harness/build/cache.ts';
import { buildModule, warningsIn, type ModuleBuild } from '../../harness/build/module.ts';
import { buildProgram } from '../../harness/build/program.ts';
import { runOk } from '../../harness/process.ts';

const architecture = hostArchitecture();

interface Workshop {
  cache: Cache;
  /** Writes files below a folder of this test and returns that folder's path. */
  files(folder: string, files: Record<string, string>): Promise<string>;
  /** A tree that has all a tree needs; its `make modules` runs `recipe` with M set. */
  tree(recipe: string): Promise<{ where: 'host'; directory: string }>;
}

const test = base.extend<{ workshop: Workshop }>({
  workshop: async ({}, use, info) => {
    const files: Workshop['files'] = async (folder, contents) => {
      for (const [name, text] of Object.entries(contents)) {
        const path = info.outputPath(folder, name);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, text);
      }
      return info.outputPath(folder);
    };
    await use({
      cache: new Cache(info.outputPath('cache')),
      files,
      tree: async (recipe) => ({
        where: 'host',
        directory: await files('tree', {
          Makefile: `modules:\n${recipe.replace(/^/gm, '\t')}\n`,
          '.config': `#\n${architectureFacts(architecture).configLine}\n`,
          'Module.symvers': '',
          'include/generated/utsrelease.h': '#define UTS_RELEASE "6.1.0-fake"\n',
          'include/generated/autoconf.h': '',
        }),
      }),
    });
  },
});

const KBUILD = { Kbuild: 'obj-m := thing.o\n', 'thing.c': 'int thing;\n' };
const COPY = '@cp $(M)/thing.c $(M)/thing.ko; echo "CC [M] $(M)/thing.o"';

test('the same again does no work, and a change of any input does', async ({ workshop }) => {
  const tree = await workshop.tree(`${COPY}; echo built >> ${join(workshop.cache.root, 'count')}`);
  const source = await workshop.files('driver/module', KBUILD);
  const uapi = await workshop.files('driver/uapi', { 'thing.h': '#define ONE 1\n' });
  const request: ModuleBuild & { tree: typeof tree } = { architecture, tree, source, extraSources: [uapi] };
  const builds = async () =>
    (await readFile(join(workshop.cache.root, 'count'), 'utf8')).split('\n').length - 1;

  const first = await buildModule(workshop.cache, request);
  expect(first).toMatchObject({
    release: '6.1.0-fake',
    log: expect.stringContaining('CC [M] driver/module/thing.o'),
  });
  expect(await readFile(first.file, 'utf8')).toBe('int thing;\n');
  expect(await buildModule(workshop.cache, request)).toEqual(first);
  expect(await builds()).toBe(1);

  await workshop.files('driver/uapi', { 'thing.h': '#define ONE 2\n' });
  const second = await buildModule(workshop.cache, request);
  expect(second.key).not.toBe(first.key);
  await writeFile(join(tree.directory, 'Module.symvers'), '0x1\tsymbol\tvmlinux\tEXPORT_SYMBOL\n');
  expect((await buildModule(workshop.cache, request)).key).not.toBe(second.key);
  expect(await builds()).toBe(3);
});

test('a diff is applied to a copy, and one that does not fit is refused', async ({ workshop }) => {
  const tree = await workshop.tree(COPY);
  const source = await workshop.files('driver/module', KBUILD);
  const uapi = await workshop.files('driver/uapi', { 'thing.h': '' });
  const request = { architecture, tree, source, extraSources: [uapi] };
  const diff =
    '--- a/driver/module/thing.c\n+++ b/driver/module/thing.c\n@@ -1 +1 @@\n-int thing;\n+int mutant;\n';
  const mutant = await buildModule(workshop.cache, { ...request, diff });
  expect(await readFile(mutant.file, 'utf8')).toBe('int mutant;\n');
  expect(await readFile(join(source, 'thing.c'), 'utf8')).toBe('int thing;\n');
  expect((await buildModule(workshop.cache, request)).key).not.toBe(mutant.key);

  const stale = buildModule(workshop.cache, { ...request, diff: diff.replace('-int thing;', '-int other;') });
  await expect(stale).rejects.toMatchObject({ code: 'DIFF_REJECTED' });
  const malformed = buildModule(workshop.cache, { ...request, diff: diff.replace('-1 +1', '-1,3 +1') });
  await expect(malformed).rejects.toMatchObject({
    code: 'DIFF_REJECTED',
    message: expect.stringContaining('malformed patch'),
  });
});

test('a diff whose surroundings have changed is another diff, and refused', async ({ workshop }) => {
  const tree = await workshop.tree(COPY);
  const lines = ['int a;', 'int b;', 'int thing;', 'int c;', 'int d;'];
  const source = await workshop.files('driver/module', { ...KBUILD, 'thing.c': `${lines.join('\n')}\n` });
  const diff = [
    '--- a/driver/module/thing.c',
    '+++ b/driver/module/thing.c',
    '@@ -1,5 +1,5 @@',
    ' int A;',
    ' int b;',
    '-int thing;',
    '+int mutant;',
    ' int c;',
    ' int d;',
    '',
  ].join('\n');
  const uapi = await workshop.files('driver/uapi', { 'thing.h': '' });
  const request = { architecture, tree, source, extraSources: [uapi] };
  await expect(buildModule(workshop.cache, { ...request, diff })).rejects.toMatchObject({
    code: 'DIFF_REJECTED',
  });
  const exact = await buildModule(workshop.cache, { ...request, diff: diff.replace(' int A;', ' int a;') });
  expect(await readFile(exact.file, 'utf8')).toContain('int mutant;');
});

test('a script of the module stays executable, and a read-only checkout can be built', async ({
  workshop,
}) => {
  const tree = await workshop.tree('@$(M)/make-it.sh > $(M)/thing.ko');
  const source = await workshop.files('module', { ...KBUILD, 'make-it.sh': '#!/bin/sh\necho made\n' });
  await chmod(join(source, 'make-it.sh'), 0o555);
  const { file } = await buildModule(workshop.cache, { architecture, tree, source });
  expect(await readFile(file, 'utf8')).toBe('made\n');
});

for (const { what, wrong, says } of [
  { what: 'does not exist', wrong: { directory: 'nowhere' }, says: /nowhere has no Makefile/ },
  { what: 'was never built', wrong: { without: 'Module.symvers' }, says: /has no Module\.symvers/ },
  { what: 'is not configured', wrong: { without: '.config' }, says: /has no \.config/ },
  { what: 'is for another architecture', wrong: { config: 'CONFIG_M68K=y' }, says: /is not for / },
]) {
  test(`a kernel tree that ${what} is named at once`, async ({ workshop }) => {
    const source = await workshop.files('module', KBUILD);
    const good = await workshop.tree(COPY);
    const lacking = wrong.without ?? '';
    if (lacking !== '') await rm(join(good.directory, lacking));
    if (wrong.config !== undefined) await writeFile(join(good.directory, '.config'), `${wrong.config}\n`);
    const tree = { ...good, directory: wrong.directory ?? good.directory };
    await expect(buildModule(workshop.cache, { architecture, tree, source })).rejects.toMatchObject({
      code: 'KERNEL_TREE',
      message: expect.stringMatching(says),
    });
  });
}

for (const { what, recipe, says } of [
  {
    what: 'an error',
    recipe: '@echo "$(M)/thing.c:1:5: error: expected identifier" >&2; exit 1',
    says: /module\/thing\.c:1:5: error: expected identifier/,
  },
  {
    what: 'a warning',
    recipe: `${COPY}; echo "$(M)/thing.c:1:5: warning: unused variable" >&2`,
    says: /builds with warnings:\nfolder\/module\/thing\.c:1:5: warning/,
  },
  {
    what: "modpost's warning",
    recipe: `${COPY}; echo "WARNING: modpost: missing MODULE_LICENSE()" >&2`,
    says: /missing MODULE_LICENSE/,
  },
  { what: 'no module', recipe: '@true', says: /gave no \.ko/ },
  { what: 'two modules', recipe: `${COPY}; cp $(M)/thing.c $(M)/other.ko`, says: /more than one \.ko/ },
]) {
  test(`a build that gives ${what} is an error that shows it`, async ({ workshop }) => {
    const source = await workshop.files('folder/module', KBUILD);
    const tree = await workshop.tree(recipe);
    await expect(buildModule(workshop.cache, { architecture, tree, source })).rejects.toMatchObject({
      name: 'DriverError [MODULE_BUILD]',
      message: expect.stringMatching(says),
    });
  });
}

for (const line of [
  'thing.o: error: No space left on device',
  'thing.c:3:1: internal compiler error: Segmentation fault',
  'thing.c:9:1: fatal error: error writing to /tmp/a.s: No space left on device',
  'gcc: fatal error: Killed signal terminated program cc1',
  'make[3]: *** [scripts/Makefile.build:250: thing.o] Killed',
  '/bin/sh: 1: scripts/basic/fixdep: Exec format error',
  '/bin/bash: line 1: scripts/mod/modpost: cannot execute binary file: Exec format error',
  '/bin/sh: 1: ./scripts/basic/fixdep: not found',
  '/bin/bash: line 1: gcc-12: command not found',
  'make[2]: gcc-12: No such file or directory',
]) {
  test(`a build that this machine cannot finish is not the driver's fault: ${line}`, async ({ workshop }) => {
    const source = await workshop.files('module', KBUILD);
    const tree = await workshop.tree(`@echo "${line}" >&2; exit 1`);
    await expect(buildModule(workshop.cache, { architecture, tree, source })).rejects.toMatchObject({
      name: 'LabError [BUILD_MACHINE]',
      message: expect.stringContaining(line),
    });
  });
}

for (const lines of [
  ['thing.c:2:5: error: implicit declaration of function', '    2 |     dev_err(dev, "out of memory");'],
  ['thing.c:12345:5: error: implicit declaration of function', '12345 | pr_err("Killed: out of memory");'],
  ['thing.c: In function Killed:', 'thing.c:2:5: error: #error Out of memory'],
  ['ERROR: modpost: "Killed" [thing.ko] undefined!'],
  ['/bin/sh: 1: ./make-it.sh: not found'],
]) {
  test(`what the source says is no trouble of this machine: ${lines.at(-1)}`, async ({ workshop }) => {
    const source = await workshop.files('module', { ...KBUILD, said: `${lines.join('\n')}\n` });
    const tree = await workshop.tree('@cat $(M)/said >&2; exit 1');
    await expect(buildModule(workshop.cache, { architecture, tree, source })).rejects.toMatchObject({
      name: 'DriverError [MODULE_BUILD]',
    });
  });
}

test('a profile may allow warnings, and so may who tries a diff', async ({ workshop }) => {
  const source = await workshop.files('driver/module', KBUILD);
  const tree = await workshop.tree(`${COPY}; echo "$(M)/thing.c:1:5: warning: unused variable" >&2`);
  const { log } = await buildModule(workshop.cache, { architecture, tree, source, allowWarnings: true });
  expect(warningsIn(log)).toEqual([expect.stringContaining('warning: unused variable')]);
  const diff =
    '--- a/driver/module/thing.c\n+++ b/driver/module/thing.c\n@@ -1 +1 @@\n-int thing;\n+int other;\n';
  const tried = await buildModule(workshop.cache, { architecture, tree, source, diff });
  expect(warningsIn(tried.log)).toHaveLength(1);
});

test('a source that is not a module is refused', async ({ workshop }) => {
  const tree = await workshop.tree(COPY);
  const empty = await workshop.files('module', { 'thing.c': '' });
  for (const source of [empty, join(empty, 'nowhere')]) {
    await expect(buildModule(workshop.cache, { architecture, tree, source })).rejects.toMatchObject({
      code: 'MODULE_SOURCE',
    });
  }
});

test('a program is static, built once, and its warnings are errors', async ({ workshop }) => {
  const headers = await workshop.files('uapi', { 'answer.h': '#define ANSWER 42\n' });
  const text = '#include "answer.h"\nint main(void) { return ANSWER - 42; }\n';
  const folder = await workshop.files('helpers', {
    'ask.c': text,
    'sloppy.c': 'int main(void) { int unused; return 0; }\n',
  });
  const program = await buildProgram(workshop.cache, architecture, join(folder, 'ask.c'), [headers]);
  const { mtimeMs, mode } = await stat(program);
  expect(mode & 0o111).not.toBe(0);
  const headersOfProgram = await runOk(['readelf', '--program-headers', program]);
  expect(headersOfProgram.stdout).toContain('LOAD');
  expect(headersOfProgram.stdout).not.toContain('INTERP');
  await buildProgram(workshop.cache, architecture, join(folder, 'ask.c'), [headers]);
  expect((await stat(program)).mtimeMs).toBe(mtimeMs);
  await expect(buildProgram(workshop.cache, architecture, join(folder, 'sloppy.c'))).rejects.toMatchObject({
    code: 'BUILD_FAILED',
    message: expect.stringContaining('unused variable'),
  });
});

test('this machine needs no prefix for its own tools', () => {
  expect(crossPrefix(architecture)).toBe('');
});
