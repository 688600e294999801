// SPDX-License-Identifier: MIT
/** Measurements: samples in pairs, nothing but the memory inside the timed regions, and no figure from the wrong memory. */
import { join } from 'node:path';
import type { Agent } from '../../harness/agent/client.ts';
import { attempt, MemoryFault } from '../../harness/agent/errors.ts';
import {
  measureExchange,
  measureFirstTouch,
  measureIoctl,
  measureThroughput,
  WrongContents,
  type Kernel,
} from '../../harness/agent/measurement.ts';
import { LabError } from '../../harness/errors.ts';
import { expect, failureOf, test } from './agent-on-host.ts';

const kernels: Kernel[] = ['read', 'write', 'copy-from', 'copy-to', 'stride', 'scattered', 'chain'];
const quick = { samples: 12, seed: 7n, leastNs: 20_000 };

async function fileOf(agent: Agent, folder: string, pages: number): Promise<number> {
  const fd = await agent.open(join(folder, 'memory'), 'rdwr,create');
  await agent.request('truncate', fd, pages * agent.pageBytes);
  return fd;
}

/** Memory whose last page is its first one once more. */
async function wrappedMemory(agent: Agent, folder: string, pages: number) {
  const fd = await fileOf(agent, folder, pages);
  const memory = await agent.mmap({ length: pages * agent.pageBytes, fd });
  await agent.mmap({ length: agent.pageBytes, fd, at: memory.page(pages - 1).address, flags: ['fixed'] });
  return memory;
}

for (const kernel of kernels) {
  test(`${kernel}: pairs in random order, no faults inside, contents checked`, async ({ agent }) => {
    const [a, b] = [await agent.anonymous(16 * agent.pageBytes), await agent.anonymous(16 * agent.pageBytes)];
    const result = await measureThroughput(agent, kernel, a, b, quick);
    for (const side of [result.a, result.b]) {
      expect(side.ns).toHaveLength(quick.samples);
      expect(side.involuntarySwitches).toHaveLength(quick.samples);
      expect(side.minorFaults + side.majorFaults).toBe(0);
      for (const ns of side.ns) expect(ns).toBeGreaterThan(0);
    }
    expect(result.order).toMatch(/^(ab|ba){12}$/);
    expect(result.order).toContain('ab');
    expect(result.order).toContain('ba');
    expect(result.passes).toBeGreaterThan(0);
  });

  test(`${kernel}: two pages that are one in truth void the figures`, async ({ agent, folder }) => {
    const wrong = await wrappedMemory(agent, folder, 4);
    const right = await agent.anonymous(wrong.bytes);
    const error = await failureOf(measureThroughput(agent, kernel, wrong, right, quick));
    expect(error).toBeInstanceOf(WrongContents);
    expect(error).not.toBeInstanceOf(LabError);
    expect(error.message).toMatch(/wrong contents in \d+ samples, the first with sum 0x[0-9a-f]+ instead of/);
    // On the baseline's side it is the lab's trouble.
    const lab = await failureOf(measureThroughput(agent, kernel, right, wrong, quick));
    expect(lab).toBeInstanceOf(LabError);
  });
}

test('a sample is as long as it was asked to be', async ({ agent }) => {
  const [a, b] = [await agent.anonymous(agent.pageBytes), await agent.anonymous(agent.pageBytes)];
  const leastNs = 2_000_000;
  const { b: baseline, clock } = await measureThroughput(agent, 'read', a, b, {
    samples: 5,
    seed: 1n,
    leastNs,
  });
  // Passes are chosen by one trial run; half of it is plenty to tell whether they were.
  for (const ns of baseline.ns) expect(ns).toBeGreaterThan(leastNs / 2);
  expect(clock.stepNs).toBeGreaterThan(0);
  expect(clock.costNs).toBeGreaterThan(0);
});

test('steps that cannot be taken are refused', async ({ agent }) => {
  const [a, b] = [await agent.anonymous(3 * agent.pageBytes), await agent.anonymous(3 * agent.pageBytes)];
  const steps = (kernel: Kernel, stepBytes: number) =>
    failureOf(measureThroughput(agent, kernel, a, b, { ...quick, stepBytes }));
  expect((await steps('chain', agent.pageBytes)).message).toContain('not a power of two');
  expect((await steps('stride', 4)).message).toContain('not a multiple of the step');
  expect((await steps('stride', 2 * agent.pageBytes)).message).toContain('not a multiple of the step');
  expect(
    await measureThroughput(agent, 'stride', a, b, { ...quick, stepBytes: agent.pageBytes }),
  ).toMatchObject({
    passes: expect.any(Number),
  });
});

test('memory that is not there is a fact in a measurement, too', async ({ agent }) => {
  const [a, b] = [await agent.anonymous(4 * agent.pageBytes), await agent.anonymous(4 * agent.pageBytes)];
  await a.page(2).unmap();
  const error = await failureOf(measureThroughput(agent, 'read', a, b, quick));
  expect(error).toBeInstanceOf(MemoryFault);
  expect(error).toMatchObject({ offset: 2 * agent.pageBytes });
  expect(await attempt(() => measureThroughput(agent, 'read', b, b, quick))).toHaveProperty('ok');
});

test('first touch: every page faults once, and keeps what was written to it', async ({ agent, folder }) => {
  const fd = await fileOf(agent, folder, 8);
  const result = await measureFirstTouch(agent, fd, { pages: 8, samples: 6, seed: 3n });
  for (const part of ['mapNs', 'touchNs', 'unmapNs', 'faults'] as const) {
    expect(result.a[part]).toHaveLength(6);
    expect(result.b[part]).toHaveLength(6);
  }
  expect(result.b.faults).toEqual([8, 8, 8, 8, 8, 8]);
  // Populated beforehand, none is left; the kernel counts those of populating to mmap().
  const eager = await measureFirstTouch(agent, fd, {
    pages: 8,
    samples: 6,
    seed: 3n,
    flags: 'shared,populate',
  });
  expect(Math.max(...eager.a.touchNs)).toBeGreaterThan(0);
  const beyond = measureFirstTouch(agent, fd, { pages: 9, samples: 2, seed: 3n });
  expect(await failureOf(beyond)).toMatchObject({ name: 'MemoryFault', signal: 'SIGBUS' });
  const bad = measureFirstTouch(agent, 99, { pages: 1, samples: 2, seed: 3n });
  expect(await failureOf(bad)).toMatchObject({ name: 'SyscallError', errno: 'EBADF' });
});

test('the cost of an ioctl, against a system call that does nothing', async ({ agent }) => {
  const memory = await agent.anonymous(agent.pageBytes);
  await agent.request('syscall', 'pipe2', memory.address, 0);
  const reader = Number(await memory.load(0, 4));
  const FIONREAD = 0x541b;
  const result = await measureIoctl(agent, reader, FIONREAD, memory.address + 64, { samples: 8, seed: 5n });
  expect(result.a).toHaveLength(8);
  expect(result.b).toHaveLength(8);
  await expect(measureIoctl(agent, reader, 0x5a00, 0, { samples: 2, seed: 5n })).rejects.toThrow(
    /512 of the timed ioctls failed/,
  );
});

test('a word goes to and fro between two processes, through the memory that is meant', async ({ agent }) => {
  const memory = await agent.mmap({ length: 2 * agent.pageBytes });
  const [a, b] = [memory.page(0), memory.page(1)] as const;
  const child = await agent.fork();
  const [samples, trips] = [6, 50];
  const result = await measureExchange(agent, child, [a, b], [a, b], { samples, trips, seed: 9n });
  for (const side of [result.a, result.b]) {
    expect(side).toHaveLength(samples);
    for (const ns of side) expect(ns).toBeGreaterThan(0);
  }
  // All ones tell the child to leave; the other word holds the last of the answers, which are even.
  expect(await a.load(0, 4)).toBe(0xffff_ffffn);
  expect((await b.load(0, 4)) % 2n).toBe(0n);
  await child.exit();
});
