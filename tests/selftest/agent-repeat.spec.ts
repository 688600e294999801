// SPDX-License-Identifier: MIT
/** Requests that the agent repeats by itself: every call is counted, and children work at the same time. */
import { attempt, RequestRefused } from '../../harness/agent/errors.ts';
import { beginRepeating, finishRepeating, ioctlStep, leftBy, repeat } from '../../harness/agent/repeat.ts';
import { expect, failureOf, test } from './agent-on-host.ts';

test('counts what each step came to', async ({ agent }) => {
  const memory = await agent.anonymous(agent.pageBytes);
  await memory.store(0, 41);
  const steps = await repeat(agent, 1000, [
    ['close', 999],
    ['load', memory.address, 8],
    ['load', 0, 8],
    ['syscall', 'getppid'],
  ]);
  expect(steps).toEqual([
    { ok: 0, failed: { EBADF: 1000 } },
    { ok: 1000, failed: {} },
    { ok: 0, failed: { SIGSEGV: 1000 } },
    { ok: 1000, failed: {} },
  ]);
});

test('makes the steps in turn', async ({ agent }) => {
  const free = await agent.dup(0);
  await agent.close(free);
  const steps = await repeat(agent, 200, [
    ['dup', 0],
    ['close', free],
    ['close', free],
  ]);
  expect(steps.map(({ ok }) => ok)).toEqual([200, 200, 0]);
});

test('a step can use what an ioctl before it left, and nothing else', async ({ agent }, testInfo) => {
  const FIONREAD = 0x541b;
  const file = await agent.open(testInfo.outputPath('seven'), 'rdwr,create,truncate');
  await agent.write(file, Buffer.from('7 bytes'));
  await agent.seek(file, 0, 'set');
  const memory = await agent.anonymous(agent.pageBytes);
  const unread = leftBy(1, 0, 4);
  const steps = await repeat(agent, 3, [
    ioctlStep(file, FIONREAD, Buffer.alloc(8, 0xee)),
    ['store', memory.address, 8, unread.number],
    ['poke', memory.address + 8, `aa${unread.bytes}bb`],
    ['store', memory.address, 8, leftBy(2, 0, 4).number],
    ['store', memory.address, 8, leftBy(1, 6, 4).number],
  ]);
  const nothing = { ok: 0, failed: { 'no-reference': 3 } };
  expect(steps).toEqual([...Array.from({ length: 3 }, () => ({ ok: 3, failed: {} })), nothing, nothing]);
  expect((await memory.peek(0, 14)).toString('hex')).toBe(`${'07'.padEnd(16, '0')}aa07000000bb`);
});

test('refuses what is no request, and goes on with the next one', async ({ agent }) => {
  for (const steps of [[['getx']], [['load', 'nowhere']], [['repeat', 2, 'pid']]] as const) {
    const failure = await failureOf(repeat(agent, 3, steps));
    expect(failure).toBeInstanceOf(RequestRefused);
  }
  expect((await attempt(() => repeat(agent, 1, [['pid']]))).ok).toEqual([{ ok: 1, failed: {} }]);
});

test('children repeat while their parent does something else', async ({ agent }) => {
  const shared = await agent.mmap({ length: agent.pageBytes });
  const children = await Promise.all([agent.fork(), agent.fork()]);
  for (const [index, child] of children.entries()) {
    await beginRepeating(child, 20_000, [['store', shared.address + 8 * index, 8, index + 1]]);
  }
  expect(await agent.readText('/proc/self/comm')).not.toBe('');
  const all = await Promise.all(children.map(finishRepeating));
  expect(all.flat()).toEqual(all.map(() => ({ ok: 20_000, failed: {} })));
  expect([await shared.load(0), await shared.load(8)]).toEqual([1n, 2n]);
});

test('an alarm interrupts, and tells how often it came', async ({ agent }) => {
  const child = await agent.fork();
  await child.agent.request('alarm', 1000);
  await repeat(child.agent, 200_000, [['syscall', 'getppid']]);
  const { signals } = await child.agent.request<{ signals: number }>('alarm', 0);
  expect(signals).toBeGreaterThan(5);
  await child.exit();
});
