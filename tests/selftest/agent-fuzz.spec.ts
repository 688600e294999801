// SPDX-License-Identifier: MIT
/** Calls that the agent makes up: the same for one seed, each for itself, and none that harms the agent. */
import { attempt } from '../../harness/agent/errors.ts';
import {
  callList,
  describeIoctls,
  fuzz,
  fuzzLines,
  type Fuzzed,
  type FuzzIoctl,
} from '../../harness/agent/fuzz.ts';
import { expect, test } from './agent-on-host.ts';

/** Can be mapped, read and written anywhere, so that many calls succeed. */
const DEVICE = '/dev/zero';
const FIONBIO: FuzzIoctl = {
  name: 'FIONBIO',
  request: 0x5421,
  good: Buffer.alloc(4),
  fields: [{ offset: 0, bytes: 4, kind: 'choice' }],
};

test('tens of thousands of calls come back counted, and the agent lives', async ({ agent }) => {
  await describeIoctls(agent, [FIONBIO]);
  const open = await agent.openFiles();
  const { calls, did } = await fuzz(agent, DEVICE, 42, '0-29999');
  const counted = Object.values(did);
  expect(calls).toBe(30_000);
  expect(counted.reduce((sum, { ok, failed }) => sum + ok + failed, 0)).toBe(30_000);
  for (const what of [
    'open',
    'close',
    'dup',
    'mmap',
    'munmap',
    'mprotect',
    'mremap',
    'madvise',
    'load',
    'store',
  ])
    expect(did[what]?.ok, what).toBeGreaterThan(20);
  for (const what of ['mmap', 'mremap', 'load', 'ioctl of any number', 'ioctl-at'])
    expect(did[what]?.failed, what).toBeGreaterThan(20);
  expect(did['ioctl FIONBIO']?.ok).toBeGreaterThan(100);
  expect(await agent.openFiles()).toEqual(open);
  expect(await agent.readText('/proc/self/maps'), 'what is still mapped').not.toContain('/dev/zero');
});

test('what a call opens that does not say so is closed', async ({ agent }) => {
  // include/uapi/linux/nsfs.h: NS_GET_USERNS returns a descriptor, and tells nothing.
  await describeIoctls(agent, [{ name: 'USERNS', request: 0xb701, good: Buffer.alloc(4), fields: [] }]);
  const open = await agent.openFiles();
  const { did } = await fuzz(agent, '/proc/self/ns/net', 42, '0-2999');
  expect(did['ioctl USERNS']?.ok).toBeGreaterThan(5);
  expect(await agent.openFiles()).toEqual(open);
});

test('one seed is one program, and another is another', async ({ agent }) => {
  await describeIoctls(agent, [FIONBIO]);
  const first = await fuzzLines(agent, DEVICE, 7, '0-199');
  expect(await fuzzLines(agent, DEVICE, 7, '0-199')).toEqual(first);
  expect(await fuzzLines(agent, DEVICE, 8, '0-199')).not.toEqual(first);
  expect(new Set(first.map((line) => line.split(' ', 1)[0])).size).toBeGreaterThan(10);
});

test('a call is the same without those before it, as far as it does not use what they left', async ({
  agent,
}) => {
  await describeIoctls(agent, [FIONBIO]);
  const all = await fuzzLines(agent, DEVICE, 7, '0-199');
  const opens = all.findIndex((line) => line.startsWith('open'));
  expect(await fuzzLines(agent, DEVICE, 7, `${opens}`)).toEqual([all[opens]]);
  // Of the last one only the request is told: nothing was opened that closing could find.
  expect((await agent.openFiles()).every(({ file }) => file !== DEVICE)).toBe(true);
});

test('the requests do by themselves what the run did', async ({ agent }) => {
  await describeIoctls(agent, [FIONBIO]);
  const lines = (await fuzzLines(agent, DEVICE, 11, '0-400')).slice(0, -1);
  const did: Fuzzed['did'] = (await fuzz(agent, DEVICE, 11, '0-399')).did;
  const opened = lines.filter((line) => line.startsWith('open'));
  const endings = [];
  for (const line of lines) {
    const [verb = ''] = line.split(' ');
    endings.push({ verb, ok: (await attempt(() => agent.say(line))).ok !== undefined });
  }
  expect(endings.filter(({ verb, ok }) => verb === 'open' && ok)).toHaveLength(did['open']?.ok ?? 0);
  expect(opened.length).toBeGreaterThan(3);
  expect(endings.filter(({ verb, ok }) => verb === 'mprotect' && ok)).toHaveLength(did['mprotect']?.ok ?? 0);
});

test('a list of calls is told in ranges', () => {
  expect(callList([0, 1, 2, 5, 7, 8])).toBe('0-2,5,7-8');
  expect(callList([])).toBe('');
});
