// SPDX-License-Identifier: MIT
/** HUG: pages of the second level's size, where kernel and addresses allow them, and never where they do not. */
import {
  congruentAddress,
  expect,
  forEachStrategy,
  largePageBytes,
  levelsOf,
  orSkip,
  sign,
  signedBuffer,
  tableBytes,
  test,
  whyNoLargePages,
  type Agent,
  type Buffers,
  type MappedBuffer,
} from '../../fixtures/index.ts';

/** Bytes. */
const MOST_LARGE = 64 * 1024 * 1024;

interface Situation {
  buffers: Buffers;
  agent: Agent;
  target: { facts: Parameters<typeof whyNoLargePages>[1] };
}

forEachStrategy(() => {
  test('HUG-01 and HUG-03 large pages cover what they can, and ordinary ones the rest', async ({
    buffers,
    agent,
    target,
  }) => {
    // Also where a mapping begins inside the buffer.
    for (const first of buffers.promises.subOffset ? [0, 3] : [0]) {
      const { mapped, nonce, largeBytes } = await congruentMapping({ buffers, agent, target }, first);
      const { mapping } = mapped;
      const blocks = await levelsOf(mapping);
      expect(blocks.length).toBeGreaterThanOrEqual(2);
      expect(blocks.map(({ level }) => level)).toEqual(
        blocks.map(({ bytes }) => (bytes === largeBytes ? 'large' : 'small')),
      );
      expect(blocks.some(({ level }) => level === 'large')).toBe(true);
      await expect(mapped).toShowItsOwnPages(nonce);
      await expect(mapped).toEndWhereItShould(mapping.bytes);
    }
  });

  test('HUG-02 and HUG-07 where large pages do not fit or exist, small ones show the same', async ({
    buffers,
    agent,
    target,
  }) => {
    const largeBytes = smallEnough(agent);
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 3 * largeBytes });
    const physical = orSkip(buffer.allocated.physicalAddress, 'the driver does not say where a buffer lies');
    // A page off where there are large ones; at the best address where there are none.
    const shift = (await whyNoLargePages(agent, target.facts)) === undefined ? buffers.pageBytes : 0;
    const address = await congruentAddress(agent, buffer.bytes, physical);
    const before = await tableBytes(agent);
    const mapped = await buffer.map({ address: address + shift });
    await expect(mapped).toShowItsOwnPages(nonce);
    const tables = ((await tableBytes(agent)) - before) / buffers.pageBytes;
    // One for each stretch of a large page; the first may be there already, for what lies before.
    expect(tables, 'further page tables for three stretches').toBeGreaterThanOrEqual(2);
  });

  test('HUG-04 a large page can be cut: what is left shows its own pages', async ({
    buffers,
    agent,
    target,
  }) => {
    const { mapped, nonce, largeBytes } = await congruentMapping({ buffers, agent, target });
    const { pageBytes } = buffers;
    await mapped.mapping.touch('read');
    const first = Math.ceil(mapped.mapping.address / largeBytes) * largeBytes - mapped.mapping.address;
    const page = first / pageBytes + 5;
    await mapped.mapping.page(page).unmap();
    await mapped.mapping.page(page + 3).protect('r');
    await expect(mapped.pages(0, page)).toShowItsOwnPages(nonce);
    await expect(mapped.pages(page + 1, mapped.pageCount - page - 1)).toShowItsOwnPages(nonce);
    expect(await agent.attempt(() => mapped.mapping.page(page).load(0))).toMatchObject({
      fault: { signal: 'SIGSEGV' },
    });
  });

  test('HUG-05 forking and moving large pages is safe', async ({ buffers, agent, target }) => {
    const { mapped, nonce, largeBytes } = await congruentMapping({ buffers, agent, target });
    const { mapping } = mapped;
    await mapping.touch('read');
    const child = await agent.fork();
    await expect(mapped.in(child.agent)).toShowItsOwnPages(nonce);
    // By a page: large ones do not fit there.
    const room = await agent.anonymous(mapping.bytes + 2 * largeBytes);
    await room.unmap();
    const to =
      Math.ceil(room.address / largeBytes) * largeBytes + (mapping.address % largeBytes) + buffers.pageBytes;
    const moved = mapped.movedTo(await mapping.remap(mapping.bytes, ['maymove', 'fixed'], to));
    await expect(moved).toShowItsOwnPages(nonce);
    await expect(mapped.in(child.agent)).toShowItsOwnPages(nonce);
    await child.exit();
  });

  test('HUG-06 a large page that was read first can be written later', async ({ buffers, agent, target }) => {
    const { mapped, largeBytes } = await congruentMapping({ buffers, agent, target });
    const other = await mapped.buffer.map();
    for (let at = 0; at < mapped.mapping.bytes; at += largeBytes / 2) {
      const word = BigInt(at) + 7n;
      await mapped.mapping.load(at);
      await mapped.mapping.store(at, word);
      expect(await other.mapping.load(at)).toBe(word);
    }
  });

  test('HUG-06 DBG-02 debuggers see and change large pages as the program does', async ({
    buffers,
    agent,
    target,
  }) => {
    test.skip(!buffers.promises.debuggable, 'debuggers do not reach the memory');
    const { mapped, nonce, largeBytes } = await congruentMapping({ buffers, agent, target });
    const { mapping } = mapped;
    const memory = await agent.open('/proc/self/mem', 'rdwr');
    // In a large page, over the border of two, and in the ordinary pages at the end.
    const border = Math.ceil(mapping.address / largeBytes) * largeBytes - mapping.address + largeBytes;
    for (const at of [border - largeBytes / 2, border - 8, mapping.bytes - 16]) {
      const seen = await agent.read(memory, 16, mapping.address + at);
      expect(seen.toString('hex'), `16 bytes at ${at}`).toBe((await mapping.peek(at, 16)).toString('hex'));
    }
    await expect(mapped).toShowItsOwnPages(nonce);
    const words = Buffer.from('by the debugger!');
    await agent.write(memory, words, mapping.address + border - 8);
    expect((await mapping.peek(border - 8, words.length)).toString()).toBe(words.toString());
  });

  test('HUG-08 the kernel chooses addresses that suit large pages', async ({ buffers, agent, target }) => {
    const { promises } = buffers;
    await skipWithoutLargePages({ buffers, agent, target });
    test.skip(promises.choosesAddresses === false, 'the file leaves the choice of addresses to mm');
    const largeBytes = largePageBytes(agent);
    const most = promises.alignmentMost ?? 0;
    test.skip(most < largeBytes, `no alignment of a large page (${largeBytes} bytes) can be asked for`);
    const buffer = await buffers.allocate({ bytes: 4 * largeBytes, alignBytes: largeBytes });
    const nonce = await sign(buffer);
    const mapped = await buffer.map();
    const blocks = await levelsOf(mapped.mapping);
    expect(blocks.map(({ level }) => level)).toEqual(['large', 'large', 'large']);
    await expect(mapped).toShowItsOwnPages(nonce);
  });
});

/** A fresh mapping of a signed buffer where large pages fit. @param first page of the buffer that it begins with */
async function congruentMapping(
  { buffers, agent, target }: Situation,
  first = 0,
): Promise<{ mapped: MappedBuffer; nonce: bigint; largeBytes: number }> {
  await skipWithoutLargePages({ buffers, agent, target });
  const largeBytes = smallEnough(agent);
  const { buffer, nonce } = await signedBuffer(buffers, { bytes: 3 * largeBytes + 3 * buffers.pageBytes });
  const physical = orSkip(buffer.allocated.physicalAddress, 'the driver does not say where a buffer lies');
  const at = first * buffers.pageBytes;
  const bytes = buffer.bytes - at;
  const address = await congruentAddress(agent, bytes, physical + at);
  return { mapped: await buffer.map({ at, bytes, address }), nonce, largeBytes };
}

/** Bytes of a large page of which a buffer may well have several: not so the 512 MiB where small ones have 64 KiB. */
function smallEnough(agent: Agent): number {
  const bytes = largePageBytes(agent);
  test.skip(bytes > MOST_LARGE, `a large page has ${bytes} bytes here, and no buffer has three`);
  return bytes;
}

async function skipWithoutLargePages({ buffers, agent, target }: Situation): Promise<void> {
  const reason = await whyNoLargePages(agent, target.facts);
  test.skip(reason !== undefined, `does not apply here: ${reason}`);
  test.skip(buffers.promises.largePages !== true, 'the driver does not promise large pages');
}
