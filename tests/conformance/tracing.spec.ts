// SPDX-License-Identifier: MIT
/**
 * DBG-03: those who look on from the kernel's side do no harm. Documentation/trace/ftrace.rst (function
 * tracer, filter `:mod:`), perf_event_open(2) and kernel/events/core.c: perf_virt_to_phys.
 */
import { expect, forEachStrategy, signedBuffer, test } from '../../fixtures/index.ts';
import type { Agent } from '../../fixtures/index.ts';
import { moduleOf } from '../../harness/profile/loaded-driver.ts';

const TRACING = '/sys/kernel/debug/tracing';
const PAGES = 4;
const ACCESSES = 5;
/** Bytes that any program reads and writes at once. */
const WIDTH = 4;

/** linux/perf_event.h: bytes of the first five versions of struct perf_event_attr, and the places of its members. */
const ATTRIBUTE_BYTES = 112;
const PLACES = { type: 0, size: 4, period: 16, sampleType: 24, flags: 40, kind: 52, address: 56, bytes: 64 };
const BREAKPOINT = 5;
/** HW_BREAKPOINT_RW */
const READ_OR_WRITE = 3;
/** PERF_SAMPLE_ADDR and PERF_SAMPLE_PHYS_ADDR */
const SAMPLE_TYPE = (1n << 3n) | (1n << 19n);
/** exclude_kernel and exclude_hv */
const FLAGS = (1n << 5n) | (1n << 6n);
/** No CPU, and no group: -1 as an int. */
const NONE = 0xffff_ffff;
/** The pages of a ring of samples behind its header. */
const RING_PAGES = 1;

forEachStrategy(() => {
  test('DBG-03 a watchpoint in a mapping is met, and changes nothing', async ({ agent, buffers }) => {
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: PAGES * buffers.pageBytes });
    const mapped = await buffer.map();
    const at = 2 * buffers.pageBytes + 64;
    const fd = await watch(agent, BigInt(mapped.mapping.address + at));
    const ring = await agent.mmap({ length: (1 + RING_PAGES) * buffers.pageBytes, fd });
    for (let time = 0; time < ACCESSES; time++)
      await mapped.mapping.store(at, await mapped.mapping.load(at, WIDTH), WIDTH);
    const count = (await agent.read(fd, 8)).readBigUInt64LE();
    await ring.unmap();
    await agent.close(fd);
    // Seen on an emulated 32-bit ARM: once met it is never armed again; QEMU 7.2 has no breakpoints that step on.
    expect(count, 'loads and stores that met it').toBeGreaterThanOrEqual(1n);
    expect(count, 'loads and stores that met it').toBeLessThanOrEqual(BigInt(2 * ACCESSES));
    await expect(mapped).toShowItsOwnPages(nonce);
  });

  test('DBG-03 the functions of the driver can be traced while it works', async ({
    agent,
    buffers,
    driver,
  }) => {
    const tracers = await agent.attempt(() => agent.readText(`${TRACING}/available_tracers`));
    test.skip(
      tracers.ok?.split(/\s+/).includes('function') !== true,
      'the kernel traces no functions (CONFIG_FUNCTION_TRACER)',
    );
    const { name } = moduleOf(driver.profile);
    const filter = `${TRACING}/set_ftrace_filter`;
    let functions: string[] = [];
    let traced = '';
    try {
      await agent.writeText(filter, `:mod:${name}`, 'wronly,truncate');
      functions = (await agent.readText(filter)).match(/^\w+(?= \[)/gm) ?? [];
      expect(functions.length, `functions of ${name}`).toBeGreaterThan(0);
      await agent.writeText(`${TRACING}/current_tracer`, 'function');
      const { buffer, nonce } = await signedBuffer(buffers, { bytes: PAGES * buffers.pageBytes });
      const mapped = await buffer.map();
      await expect(mapped).toShowItsOwnPages(nonce);
      await mapped.unmap();
      await buffer.release();
      traced = await agent.readText(`${TRACING}/trace`);
    } finally {
      await agent.writeText(`${TRACING}/current_tracer`, 'nop');
      await agent.writeText(filter, ' ', 'wronly,truncate');
    }
    const called = [...traced.matchAll(/: (\w+)(?: \[\w+\])? <-/g)].map(([, called = '']) => called);
    expect(called.filter((one) => functions.includes(one)).length, 'calls of its functions').toBeGreaterThan(
      1,
    );
    expect(
      called.filter((one) => !functions.includes(one)),
      'calls of others',
    ).toEqual([]);
  });
});

/** A counter of accesses to the word there. Machines without watchpoints are skipped. */
async function watch(agent: Agent, address: bigint): Promise<number> {
  const attribute = Buffer.alloc(ATTRIBUTE_BYTES);
  attribute.writeUInt32LE(BREAKPOINT, PLACES.type);
  attribute.writeUInt32LE(ATTRIBUTE_BYTES, PLACES.size);
  attribute.writeBigUInt64LE(1n, PLACES.period);
  attribute.writeBigUInt64LE(SAMPLE_TYPE, PLACES.sampleType);
  attribute.writeBigUInt64LE(FLAGS, PLACES.flags);
  attribute.writeUInt32LE(READ_OR_WRITE, PLACES.kind);
  attribute.writeBigUInt64LE(address, PLACES.address);
  attribute.writeBigUInt64LE(BigInt(WIDTH), PLACES.bytes);
  const scratch = await agent.anonymous(agent.pageBytes);
  await scratch.poke(0, attribute);
  const opened = await agent.attempt(() =>
    agent.request<{ returned: string }>('syscall', 'perf_event_open', scratch.address, 0, NONE, NONE, 0),
  );
  const absent = ['ENOENT', 'ENOSYS', 'EOPNOTSUPP', 'ENODEV'].includes(opened.errno ?? '');
  test.skip(absent, `the machine has no watchpoints (${opened.errno})`);
  expect(opened.errno, 'how perf_event_open() ended').toBeUndefined();
  return Number(opened.ok?.returned);
}
