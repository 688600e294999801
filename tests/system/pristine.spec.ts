// SPDX-License-Identifier: MIT
/** Guests restored from a saved state: each a machine of its own, and a saved state of no use is the lab's affair. */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Cache } from '../../harness/build/cache.ts';
import { Deadline } from '../../harness/deadline.ts';
import { settingsFrom } from '../../harness/settings.ts';
import { guests } from '../../harness/target/guests.ts';
import { discard } from '../../harness/target/qemu/saved-guest.ts';
import { sourceOf, type TargetSource } from '../../harness/target/source.ts';
import type { Target } from '../../harness/target/target.ts';
import { projectFolder } from './rig-run.ts';
import { expect, test as base } from './system-test.ts';

/** Milliseconds for one guest. */
const LIMIT = 300_000;

interface Lab {
  /** Sources of one kind of guest that nobody else has saved yet. */
  source(): TargetSource;
  take(source: TargetSource): Promise<Target>;
  /** Everything that was said. */
  said: string[];
}

const test = base.extend<{ lab: Lab }>({
  // oxlint-disable-next-line no-empty-pattern
  lab: async ({}, use) => {
    const settings = settingsFrom(process.env, projectFolder);
    const said: string[] = [];
    const cache = new Cache(settings.cacheRoot, { onProgress: (line) => said.push(line) });
    // An argument that no kernel knows makes it a kind of its own.
    const append = [`bufrig.test=${randomBytes(4).toString('hex')}`];
    const context = {
      settings: { ...settings, append },
      cache,
      announce: (line: string) => void said.push(line),
    };
    const taken: Target[] = [];
    await use({
      said,
      source: () => sourceOf(guests[0], context),
      take: async (source) => {
        const target = await source.take(Deadline.in(LIMIT));
        taken.push(target);
        return target;
      },
    });
    for (const target of taken) await target.close();
    for (const folder of new Set(taken.filter(isRestored).map(folderOf))) await discard(cache, folder);
  },
});

const isRestored = ({ origin }: Target): boolean => origin === 'restored';
/** Where the saved guest of a copy lies. */
const folderOf = ({ facts }: Target): string => dirname(facts.details['login key'] ?? '');

async function output(target: Target, script: string): Promise<string> {
  return (await target.execOk(['sh', '-c', script])).stdout.trim();
}

test('a copy that nobody wants any more says nothing about the saved guest', async ({ lab }) => {
  const source = lab.source();
  await lab.take(source);
  for (const milliseconds of [20, 120, 220, 320]) {
    const unwanted = new AbortController();
    setTimeout(() => unwanted.abort(), milliseconds);
    const [copy] = await Promise.allSettled([source.take(Deadline.in(LIMIT, unwanted.signal))]);
    if (copy.status === 'fulfilled') await copy.value.close();
  }
  expect(lab.said.filter((line) => line.includes('cannot be restored'))).toEqual([]);
  expect(isRestored(await lab.take(source)), 'the next one is restored').toBe(true);
});

test('copies differ in identity and randomness, and have the time of day', async ({ lab }) => {
  const copies = await Promise.all([lab.source(), lab.source()].map((source) => lab.take(source)));
  // Two who ask at once: one saves, the other waits.
  expect(lab.said.filter((line) => line.includes('once, to save it'))).toHaveLength(1);
  const seen = [];
  for (const copy of copies) {
    expect(copy.origin).toBe('restored');
    expect(await output(copy, 'uname -r')).toBe(copy.facts.kernelRelease);
    expect(await output(copy, 'cat /proc/sys/kernel/random/boot_id')).toBe(copy.facts.bootId);
    seen.push(await output(copy, 'head -c 16 /dev/urandom | od -An -tx1'));
    const before = Math.floor(Date.now() / 1000);
    const now = Number(await output(copy, 'date +%s'));
    expect(now).toBeGreaterThanOrEqual(before - 1);
    expect(now).toBeLessThanOrEqual(Date.now() / 1000 + 1);
  }
  expect(new Set(copies.map(({ facts }) => facts.bootId)).size).toBe(2);
  expect(new Set(seen).size).toBe(2);
});

test('what is done to one copy no other one sees', async ({ lab }) => {
  const source = lab.source();
  const first = await lab.take(source);
  await first.execOk(['sh', '-c', 'echo spoilt >/spoilt; echo 1 >/proc/sys/kernel/panic_on_warn']);
  const second = await lab.take(source);
  expect(await output(first, 'cat /spoilt')).toBe('spoilt');
  expect((await second.exec(['test', '-e', '/spoilt'])).code).toBe(1);
  expect(await output(second, 'cat /proc/sys/kernel/panic_on_warn')).toBe('0');
  // With its memory thrown away the saved guest is as it was.
  await first.close();
  const third = await lab.take(source);
  expect((await third.exec(['test', '-e', '/spoilt'])).code).toBe(1);
});

const DAMAGES: Record<string, (folder: string) => Promise<void>> = {
  'a state that has changed': async (folder) => {
    const state = await readFile(join(folder, 'state'));
    state[1000] = (state[1000] ?? 0) ^ 1;
    await writeFile(join(folder, 'state'), state);
  },
  'a RAM file that is cut short': (folder) => truncate(join(folder, 'ram'), 4096),
  'half an entry': (folder) => writeFile(join(folder, 'manifest.json'), '{'),
};

test('a damaged saved guest is made anew, and that is said', async ({ lab }) => {
  const source = lab.source();
  let copy = await lab.take(source);
  for (const [what, damage] of Object.entries(DAMAGES)) {
    await copy.close();
    await damage(folderOf(copy));
    lab.said.length = 0;
    copy = await lab.take(source);
    expect(copy.origin, what).toBe('restored');
    expect(lab.said.join('\n'), what).toMatch(
      /the saved guest is damaged, making it anew: .*\n.*once, to save it/,
    );
  }
});

test('a state that QEMU refuses costs a boot, and is thrown away', async ({ lab }) => {
  const source = lab.source();
  const first = await lab.take(source);
  const folder = folderOf(first);
  const state = randomBytes(400_000);
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'));
  manifest.stateSha256 = createHash('sha256').update(state).digest('hex');
  await writeFile(join(folder, 'state'), state);
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  lab.said.length = 0;
  const second = await lab.take(source);
  expect(second.origin).toBe('booted');
  expect(lab.said.join('\n')).toMatch(
    /cannot be restored, booting a guest instead: QEMU cannot load the state/,
  );
  expect((await lab.take(source)).origin).toBe('restored');
});

const LEVELS = {
  test: 'test: a guest restored from its saved state',
  file: 'file: a guest restored from its saved state',
  worker: 'worker: a guest restored from its saved state',
};
for (const [level, words] of Object.entries(LEVELS)) {
  test(`isolation ${level}: each result says so`, async ({ rig }) => {
    const run = await rig.run({
      project: 'qemu-arm64',
      grep: 'fd-per-buffer.*(BND-0[23]|GEO-01)',
      env: { BUFRIG_ISOLATION: level },
    });
    expect(run.code, run.output).toBe(0);
    expect(run.tests.length).toBeGreaterThan(3);
    expect(run.summary.isolation).toEqual({ [words]: run.tests.length });
    const kernels = new Set(run.tests.map(bootIdOf));
    const files = new Set(run.tests.map(({ file }) => file));
    expect(files.size).toBeGreaterThan(1);
    expect(kernels.size).toBe({ test: run.tests.length, file: files.size, worker: 1 }[level]);
  });
}

/** The kernel that a test had. */
function bootIdOf({
  annotations,
}: {
  annotations: { type: string; description?: string | undefined }[];
}): string {
  const facts = annotations.find(({ type }) => type === '_target')?.description ?? '{}';
  return (JSON.parse(facts) as { bootId?: string }).bootId ?? '';
}
