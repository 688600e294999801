// SPDX-License-Identifier: MIT
/**
 * GUP-03, GUP-04: drivers that map pages with references let the kernel take more of them, and the pages
 * live until the last is given back. mm/gup.c; mm/memory.c: validate_page_before_insert().
 */
import { expect, forEachStrategy, signedBuffer, test } from '../../fixtures/index.ts';
import type { Agent, MappedBuffer } from '../../fixtures/index.ts';

const MIB = 1024 * 1024;
/** A pipe takes 16, whatever their size. */
const PAGES = 8;

forEachStrategy(() => {
  test('GUP-03 pages that the kernel holds stay until it lets go, whatever became of the buffer', async ({
    buffers,
    agent,
  }) => {
    const { buffer } = await signedBuffer(buffers, { bytes: PAGES * buffers.pageBytes });
    const mapped = await buffer.map();
    const held = await mapped.mapping.peek();
    const pipe = await giveToPipe(agent, mapped);
    await mapped.unmap();
    await buffer.free();
    await buffer.close();
    buffers.reopen();
    // Whoever gets memory that was given back too early overwrites it.
    for (const bytes of [buffer.bytes, buffer.bytes, 16 * MIB, 16 * MIB]) {
      await (await (await buffers.allocate({ bytes })).map()).mapping.fill(0xa5);
    }
    const seen = await agent.read(pipe, held.length);
    expect(seen.equals(held), 'what the pipe holds is what was in the buffer').toBe(true);
  });

  test('GUP-04 every page that is mapped is counted as mapped', async ({ buffers, agent, pageTables }) => {
    const { pageBytes } = buffers;
    const { buffer } = await signedBuffer(buffers, { bytes: 33 * pageBytes });
    const mapped = await buffer.map();
    await mapped.mapping.touch('write');
    const counts = await agent.open('/proc/kpagecount', 'rdonly');
    const runs = await pageTables(mapped);
    for (const { address, physicalAddress, bytes } of runs) {
      const data = await agent.read(counts, (8 * bytes) / pageBytes, (8 * physicalAddress) / pageBytes);
      for (let at = 0; at < data.length; at += 8) {
        const page = (address - mapped.address) / pageBytes + at / 8;
        expect(data.readBigUInt64LE(at), `times that page ${page} is mapped`).toBeGreaterThanOrEqual(1n);
      }
    }
    expect(
      runs.reduce((sum, { bytes }) => sum + bytes, 0),
      'bytes that were looked at',
    ).toBe(mapped.bytes);
  });
});

/** Gives the pages themselves to a pipe. @returns its end for reading */
async function giveToPipe(agent: Agent, { address, bytes }: MappedBuffer): Promise<number> {
  const scratch = await agent.anonymous(agent.pageBytes);
  await agent.request('syscall', 'pipe2', scratch.address, 0);
  const ends = await scratch.peek(0, 8);
  const word = agent.hello.pointerBytes === 8 ? 8 : 4;
  const iovec = scratch.part(64, 2 * word);
  await iovec.store(0, address, word);
  await iovec.store(word, bytes, word);
  const given = await agent.request<{ returned: string }>(
    'syscall',
    'vmsplice',
    ends.readInt32LE(4),
    iovec.address,
    1,
    0,
  );
  expect(Number(given.returned), 'bytes that the pipe took').toBe(bytes);
  return ends.readInt32LE(0);
}
