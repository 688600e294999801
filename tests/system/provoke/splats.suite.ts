// SPDX-License-Identifier: MIT
/** Run by splats.spec.ts: breaks the kernel on purpose, with tests in between that do nothing. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test as base } from '../../../fixtures/index.ts';
import { architectureOfMachine } from '../../../harness/build/architectures.ts';
import { buildModule } from '../../../harness/build/module.ts';
import { Deadline } from '../../../harness/deadline.ts';
import { ways, type Way } from './ways.ts';

const SOURCE = fileURLToPath(new URL('../../selftest/data/kernel-log/provoke', import.meta.url));
/** Milliseconds on hardware; the slowest way takes 36 s on any machine. */
const LIMIT = 60_000;

const test = base.extend<{ provoke: (way: Way) => Promise<void> }>({
  provoke: async ({ target, cache }, use) => {
    await use(async ({ how, shell = 'insmod "$1" "how=$2"', settings = {} }) => {
      const deadline = Deadline.in(LIMIT * target.patience);
      const { kernelTree: tree } = target;
      if (tree.where !== 'host') throw new Error('the module is built on this machine');
      const architecture = architectureOfMachine(target.facts.machine);
      const { file } = await buildModule(cache, { source: SOURCE, architecture, tree, allowWarnings: true });
      const module = await target.put(await readFile(file), 'provoke.ko');
      for (const [path, value] of Object.entries(settings))
        await target.execOk(['sh', '-c', 'echo "$2" >"$1"', 'sh', path, value], { deadline });
      // It was loaded before by whatever did not break the kernel.
      await target.exec(['rmmod', 'provoke'], { deadline });
      // Who dies of it says nothing more.
      await target.exec(['sh', '-c', shell, 'sh', module, how], { deadline }).catch(() => undefined);
    });
  },
});

for (const [kind, all] of Object.entries(ways)) {
  for (const way of all) {
    test(`${kind}: all is well before ${way.how}`, async ({ target }) => {
      expect((await target.exec(['true'])).code).toBe(0);
    });
    test(`${kind}: provokes ${way.how}`, ({ provoke }) => provoke(way));
  }
  test(`${kind}: all is well at last`, async ({ target }) => {
    expect((await target.exec(['true'])).code).toBe(0);
  });
}

const warn: Way = { how: 'warn', category: 'warning' };
const bug: Way = { how: 'bug', category: 'bug' };

test.describe('declared', () => {
  test.use({ splat: { category: 'warning', title: /\bwarn\b/ } });
  test('declared: exactly that', ({ provoke }) => provoke(warn));
  test('declared: and nothing came', async ({ target }) => {
    expect((await target.exec(['true'])).code).toBe(0);
  });
  test('declared: and another came', ({ provoke }) => provoke(bug));
  test('declared: of that kind, but not that one', ({ provoke }) => provoke({ ...warn, how: 'warn-on' }));
  test('declared: that, and another', async ({ provoke }) => {
    await provoke(warn);
    await provoke({ ...warn, how: 'refcount' });
  });
  test('declared: that, and a panic', async ({ provoke }) => {
    await provoke(warn);
    await provoke({ ...warn, how: 'panic' });
  });
});

test.describe('declared panic', () => {
  test.use({ splat: { category: 'panic' } });
  test('declared: a panic', ({ provoke }) => provoke({ how: 'panic', category: 'panic' }));
});

test('declared: all is well afterwards', async ({ target }) => {
  expect((await target.exec(['true'])).code).toBe(0);
});
