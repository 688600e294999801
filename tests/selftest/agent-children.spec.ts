// SPDX-License-Identifier: MIT
/** Children of the agent: what they inherit, what they are given, and how they end. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AgentDied, attempt, ChildDied } from '../../harness/agent/errors.ts';
import { startLocally } from '../../harness/agent/local.ts';
import { outcomeInASacrifice } from '../../fixtures/sacrifice.ts';
import { expect, failureOf, test } from './agent-on-host.ts';

test('a child has its parent’s memory: shared stays shared, private becomes its own', async ({
  agent,
  folder,
}) => {
  const { pageBytes } = agent;
  const fd = await agent.open(join(folder, 'file'), 'rdwr,create');
  await agent.request('truncate', fd, pageBytes);
  const shared = await agent.mmap({ length: pageBytes, fd });
  const own = await agent.anonymous(pageBytes);
  await own.store(0, 1);
  const child = await agent.fork();
  expect(child.agent.hello.pid).toBe(child.pid);
  await shared.in(child.agent).store(0, 42);
  expect(await shared.load(0)).toBe(42n);
  await own.in(child.agent).store(0, 2);
  expect(await own.load(0)).toBe(1n);
  expect(await own.in(child.agent).load(0)).toBe(2n);
  expect(await child.exit()).toEqual({ code: 0, signal: null });
});

test('facts come through from a child as they are', async ({ agent }) => {
  const child = await agent.fork();
  expect(await attempt(() => child.agent.close(99))).toEqual({ errno: 'EBADF' });
  expect(await attempt(() => child.agent.request('load', 16, 8))).toEqual({
    fault: { signal: 'SIGSEGV', code: 'SEGV_MAPERR', offset: 0 },
  });
  await expect(child.agent.request('nonsense')).rejects.toThrow(/refused child 1 of this machine: nonsense/);
  await child.exit();
});

test('descriptors travel both ways', async ({ agent, folder }) => {
  const child = await agent.fork();
  const fd = await agent.open(join(folder, 'down'), 'rdwr,create');
  const there = await child.give(fd);
  await agent.close(fd);
  await child.agent.write(there, Buffer.from('from the child'));
  expect(await agent.readText(join(folder, 'down'))).toBe('from the child');

  const theirs = await child.agent.open(join(folder, 'up'), 'rdwr,create');
  const here = await child.take(theirs);
  await child.exit();
  await agent.write(here, Buffer.from('from the parent'));
  expect(await agent.readText(join(folder, 'up'))).toBe('from the parent');
  expect(
    await attempt(() => agent.request('send-fd', 'parent', 0)).catch((error: Error) => error.message),
  ).toContain('no parent');
});

test('nothing was passed: EAGAIN, and no waiting', async ({ agent }) => {
  const child = await agent.fork();
  expect(await attempt(() => agent.request('receive-fd', 1))).toEqual({ errno: 'EAGAIN' });
  await child.exit();
});

test('a child’s death is told when it is asked for something', async ({ agent }) => {
  const child = await agent.fork();
  await child.begin('sleep-ms 600000');
  expect(await child.kill()).toEqual({ code: null, signal: 'SIGKILL' });
  const again = await agent.fork();
  expect(again.pid).toBeGreaterThan(1);
  await agent.request('syscall', 'kill', again.pid, 11);
  const error = await failureOf(again.agent.request('pid'));
  expect(error).toBeInstanceOf(ChildDied);
  expect(error).toHaveProperty('ending', { code: null, signal: 'SIGSEGV' });
  expect(error.message).toContain('ended (SIGSEGV), serving: pid');
  expect(await agent.request('pid')).toHaveProperty('pid', agent.hello.pid);
});

test('what the kernel kills is told from what ends otherwise, and from the end of its parent', async ({
  agent,
  startAgent,
}) => {
  const killing = async (signal: number) => {
    const child = await agent.fork();
    await agent.request('syscall', 'kill', child.pid, signal);
    return outcomeInASacrifice(() => child.agent.request('pid'));
  };
  expect(await killing(9)).toEqual({ kind: 'signal', signal: 'SIGKILL' });
  expect(await failureOf(killing(7))).toBeInstanceOf(ChildDied);

  const parent = await startAgent();
  const child = await parent.agent.fork();
  parent.kill();
  const failure = await failureOf(outcomeInASacrifice(() => child.agent.request('pid')));
  expect(failure).toBeInstanceOf(AgentDied);
  expect(failure).not.toBeInstanceOf(ChildDied);
});

test('parent and child work at the same time', async ({ agent, folder }) => {
  const fd = await agent.open(join(folder, 'flag'), 'rdwr,create');
  await agent.request('truncate', fd, agent.pageBytes);
  const flag = await agent.mmap({ length: agent.pageBytes, fd });
  const child = await agent.fork();
  await child.begin('sleep-ms 300');
  await child.begin(`store 0x${flag.address.toString(16)} 8 7`);
  expect(await flag.load(0)).toBe(0n);
  expect(await child.finish()).toEqual({});
  expect(await child.finish()).toEqual({});
  expect(await flag.load(0)).toBe(7n);
  await child.exit();
});

test('thousands of requests to a child in flight', async ({ agent }) => {
  const child = await agent.fork();
  const anonymous = await child.agent.anonymous(agent.pageBytes);
  const values = await Promise.all(
    Array.from({ length: 3000 }, async (_, index) => {
      const stored = anonymous.store(0, index);
      const loaded = anonymous.load(0);
      await stored;
      return loaded;
    }),
  );
  expect(values).toEqual(Array.from({ length: 3000 }, (_, index) => BigInt(index)));
  await child.exit();
});

test('grandchildren, and many children one after the other', async ({ agent }) => {
  const child = await agent.fork();
  const grandchild = await child.agent.fork();
  expect(await grandchild.agent.request('pid')).toMatchObject({ pid: grandchild.pid, parent: child.pid });
  expect(await grandchild.exit()).toEqual({ code: 0, signal: null });
  expect(await child.exit()).toEqual({ code: 0, signal: null });
  const before = await agent.openFiles();
  for (let round = 0; round < 20; round += 1) await (await agent.fork()).exit();
  expect(await agent.openFiles()).toEqual(before);
});

test('a child holds none of its siblings’ sockets', async ({ agent }) => {
  const [first, second] = [await agent.fork(), await agent.fork()];
  expect(await second.agent.openFiles()).toHaveLength((await first.agent.openFiles()).length);
  await first.exit();
  await second.exit();
});

test('executing anew loses no answer from before', async ({ agent }) => {
  const child = await agent.fork();
  await Promise.all([child.begin('pid'), child.begin('pid'), child.begin('exec-self')]);
  expect(await child.finish()).toHaveProperty('pid', child.pid);
  expect(await child.finish()).toHaveProperty('pid', child.pid);
  expect(await child.finish()).toHaveProperty('protocol', 1);
  await child.exit();
});

test('executing anew keeps keeps descriptors and drops memory', async ({ agent, folder }) => {
  const memory = await agent.anonymous(agent.pageBytes);
  const fd = await agent.open(join(folder, 'kept'), 'rdwr,create');
  const child = await agent.fork();
  expect(await child.agent.request('exec-self')).toMatchObject({ name: 'bufrig-agent', pid: child.pid });
  expect((await child.agent.openFiles()).map((open) => open.fd)).toContain(fd);
  expect(await memory.in(child.agent).vma()).toBeUndefined();
  expect(await memory.vma()).toBeDefined();
  await child.exit();
});

test('a child can become an ordinary user', async ({ agent, folder }) => {
  test.skip(process.getuid?.() !== 0, 'only root can become somebody else');
  const path = join(folder, 'secret');
  await agent.close(await agent.open(path, 'rdwr,create'));
  const child = await agent.fork();
  await child.agent.request('setuid', 65534);
  expect(await attempt(() => child.agent.open(path, 'rdonly'))).toEqual({ errno: 'EACCES' });
  expect(await child.agent.request('pid')).toMatchObject({ uid: 65534, gid: 65534 });
  expect(await child.agent.request('maps')).toHaveProperty('maps');
  await child.exit();
});

test('no child outlives the agent, however that ends', async ({ startAgent }) => {
  const { agent, kill } = await startAgent();
  const child = await agent.fork();
  const grandchild = await child.agent.fork();
  await grandchild.begin('sleep-ms 600000');
  kill();
  await expect.poll(() => [child.pid, grandchild.pid].some((pid) => existsSync(`/proc/${pid}`))).toBe(false);
});

for (const waiting of ['sleep-ms 600000', 'child-wait 1', 'child-answer 1', 'poll 0 priority -1']) {
  test(`waiting in ${waiting}, it notices that nobody reads its answers`, async ({ agentProgram }) => {
    // The shell stays alive, so that neither the parent's death nor the end of stdin tells.
    const shell = startLocally('/bin/sh', ['-c', `exec 3<&0; ${agentProgram} <&3; echo ended: $? >&2`]);
    let answers = '';
    let told = '';
    shell.onStdout((chunk) => (answers += chunk.toString()));
    shell.onStderr((chunk) => (told += chunk.toString()));
    shell.write(`fork\n${waiting}\n`);
    await expect.poll(() => answers).toContain('"child":1');
    shell.closeStdout();
    await expect.poll(() => told).toBe('ended: 4\n');
    shell.end();
    await shell.ended;
  });
}
