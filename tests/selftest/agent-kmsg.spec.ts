// SPDX-License-Identifier: MIT
/** The kernel's log of this machine: a bookmark written through the agent is read by its follower. */
import { randomUUID } from 'node:crypto';
import { startLocally } from '../../harness/agent/local.ts';
import { attempt } from '../../harness/agent/errors.ts';
import { expect, test } from './agent-on-host.ts';

test.beforeEach(async ({ agent }) => {
  const writable = await attempt(() => agent.open('/dev/kmsg', 'wronly'));
  test.skip(writable.errno !== undefined, `/dev/kmsg cannot be written here: ${writable.errno}`);
});

test('a bookmark is followed at once, among records as the kernel gives them', async ({
  agent,
  agentProgram,
}) => {
  const follower = startLocally(agentProgram, ['kmsg']);
  let log = '';
  follower.onStdout((chunk) => (log += chunk.toString()));
  const bookmarks = Array.from({ length: 15 }, (_, index) => `bufrig selftest ${index} ${randomUUID()}`);
  for (const bookmark of bookmarks) await agent.mark(bookmark);
  await expect.poll(() => bookmarks.every((bookmark) => log.includes(`;${bookmark}\n`))).toBe(true);
  follower.end();
  expect(await follower.ended).toEqual({ code: 0, signal: null });
  // Documentation/ABI/testing/dev-kmsg: priority,sequence,microseconds,flags;text
  for (const line of log.trimEnd().split('\n')) expect(line).toMatch(/^(\d+,\d+,\d+,[-c+],?.*;|overrun$)/);
});

test('a bookmark the kernel will not take is an error', async ({ agent }) => {
  expect(await attempt(() => agent.mark('x'.repeat(5000)))).toEqual({ errno: 'EINVAL' });
});
