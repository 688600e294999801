// SPDX-License-Identifier: MIT
/**
 * GUP-03, GUP-04: drivers that map pages with references let the kernel take more of them, and the pages
 * live until the last is given back. mm/gup.c; mm/memory.c: validate_page_before_insert().
 */
import { expect, forEachStrategy, freeBytes, signedBuffer, test } from '../../fixtures/index.ts';
import type { Agent, MappedBuffer } from '../../fixtures/index.ts';

const MIB = 1024 * 1024;
/** linux/io_uring.h: IORING_REGISTER_BUFFERS; bytes of struct io_uring_params. */
const REGISTER_BUFFERS = 0;
const PARAMS_BYTES = 120;

forEachStrategy(() => {
  test('GUP-03 pages that the kernel has pinned stay until it lets go, whatever became of the buffer', async ({
    buffers,
    agent,
  }) => {
    const bytes = 8 * MIB;
    const before = await freeBytes(agent);
    const { buffer } = await signedBuffer(buffers, { bytes });
    const mapped = await buffer.map();
    await mapped.mapping.touch('write');
    const ring = await pinnedByRing(agent, mapped);
    test.skip(ring === undefined, 'this kernel has no io_uring');
    await mapped.unmap();
    await buffer.free();
    await buffer.close();
    buffers.reopen();
    expect(before - (await freeBytes(agent)), 'bytes in use while they are pinned').toBeGreaterThan(
      0.8 * bytes,
    );
    await agent.close(ring ?? -1);
    await expect
      .poll(async () => before - (await freeBytes(agent)), { message: 'bytes in use afterwards' })
      .toBeLessThan(0.3 * bytes);
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

/** Registers the mapping as a buffer of a new io_uring. @returns its descriptor */
async function pinnedByRing(agent: Agent, { address, bytes }: MappedBuffer): Promise<number | undefined> {
  const scratch = await agent.anonymous(agent.pageBytes);
  const setup = await agent.attempt(() =>
    agent.request<{ returned: string }>('syscall', 'io_uring_setup', 4, scratch.address),
  );
  if (setup.errno === 'ENOSYS') return undefined;
  const ring = Number(setup.ok?.returned);
  const word = agent.hello.pointerBytes === 8 ? 8 : 4;
  const iovec = scratch.part(PARAMS_BYTES + 8, 2 * word);
  await iovec.store(0, address, word);
  await iovec.store(word, bytes, word);
  await agent.request('syscall', 'io_uring_register', ring, REGISTER_BUFFERS, iovec.address, 1);
  return ring;
}
