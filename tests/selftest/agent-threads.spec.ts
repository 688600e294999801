// SPDX-License-Identifier: MIT
/** Threads of the agent: what they do meets what is requested meanwhile, in one process. */
import { beginThread } from '../../harness/agent/threads.ts';
import { expect, test } from './agent-on-host.ts';

test('a thread makes its calls over and over, and tells how each ended', async ({ agent }) => {
  const memory = await agent.anonymous(2 * agent.pageBytes);
  await memory.fill(0x5a);
  const thread = await beginThread(agent, 100, [
    ['look', memory.address, memory.bytes],
    ['fill', memory.address, agent.pageBytes],
    ['look', 0, agent.pageBytes],
    ['munmap', 1, agent.pageBytes],
  ]);
  expect(await thread.end()).toEqual([
    { ok: 100, failed: 0 },
    { ok: 100, failed: 0 },
    { ok: 0, failed: 100 },
    { ok: 0, failed: 100 },
  ]);
  expect(await memory.page(0).scanByte(0)).toMatchObject({ mismatches: 0 });
  expect(await memory.page(1).scanByte(0x5a)).toMatchObject({ mismatches: 0 });
});

test('requests are served while threads work, on the same memory and the same descriptors', async ({
  agent,
}) => {
  const memory = await agent.anonymous(agent.pageBytes);
  const descriptor = await agent.open('/dev/null', 'rdonly');
  const busy = await beginThread(agent, 200_000, [['mprotect', memory.address, memory.bytes, 0], ['yield']]);
  const closing = await beginThread(agent, 1, [['close', descriptor]]);
  expect(await closing.end()).toEqual([{ ok: 1, failed: 0 }]);
  await expect(agent.close(descriptor)).rejects.toThrow('EBADF');
  expect((await busy.end())[0]).toEqual({ ok: 200_000, failed: 0 });
  await expect(memory.load(0)).rejects.toThrow('SIGSEGV');
});

test('there are four at most, what has ended makes room, and nonsense is refused', async ({ agent }) => {
  const begin = () => beginThread(agent, 1, [['yield']]);
  const four = [await begin(), await begin(), await begin(), await begin()];
  await expect(begin()).rejects.toThrow('4 threads are at work');
  expect(await four[1]?.end()).toEqual([{ ok: 1, failed: 0 }]);
  await begin();
  await expect(agent.request('thread-end', 9)).rejects.toThrow('no such thread');
  await expect(agent.request('thread-begin', 1)).rejects.toThrow();
  await expect(agent.request('thread-begin', 1, 'nonsense')).rejects.toThrow();
});
