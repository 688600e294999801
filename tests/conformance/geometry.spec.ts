// SPDX-License-Identifier: MIT
/** GEO: where buffers lie in physical memory, and how far their mappings reach. */
import { expect, forEachStrategy, orSkip, test } from '../../fixtures/index.ts';
import { size } from '../../harness/judge/judges.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

forEachStrategy(() => {
  test('GEO-01 a mapping starts on a page and ends where its length does', async ({ buffers }) => {
    const { pageBytes } = buffers;
    const buffer = await buffers.allocate({ bytes: 4 * pageBytes });
    for (const bytes of [1, pageBytes - 1, pageBytes, pageBytes + 1, buffer.bytes]) {
      const mapping = await buffer.map({ bytes });
      await expect(mapping).toEndWhereItShould(bytes);
      await mapping.unmap();
    }
  });

  test('GEO-02 buffers of every size start on a page, where the driver says', async ({ buffers }) => {
    const { pageBytes, promises } = buffers;
    const pages = [1, 2, 3, 4, 5, 6, 7, 8].map((count) => count * pageBytes);
    const mappings = [];
    for (const bytes of [...pages, 64 * KIB, MIB, MIB + pageBytes, 4 * MIB, 16 * MIB, 64 * MIB]) {
      // As much as was asked for, whatever the driver says of the size.
      mappings.push(await (await buffers.allocate({ bytes })).map({ bytes }));
    }
    await expect(mappings).toBePhysicallyAligned();
    if (promises.tellsAddresses) await expect(mappings).toLieWhereTheDriverSays();
  });

  for (const bytes of [64 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 128 * MIB]) {
    // Measured in an emulated guest: 64 MiB take 0.8 s, 128 MiB 1.8 s.
    const tag = bytes > 64 * MIB ? '@slow' : [];
    test(`GEO-03 a buffer of ${size(bytes)} is physically contiguous`, { tag }, async ({ buffers }) => {
      const mapping = await (await buffers.allocate({ bytes })).map();
      await expect(mapping).toBePhysicallyContiguous();
    });
  }

  test('GEO-03 what is not promised to be contiguous is found in pieces, so the witnesses can tell', async ({
    buffers,
  }) => {
    // On a young machine even single pages come one behind the other, so first there have to be holes.
    const row = [];
    for (let i = 0; i < 16; i++) row.push(await buffers.allocate({ bytes: MIB }));
    for (const [i, buffer] of row.entries()) if (i % 2 === 0) await buffer.release();
    const mapping = await (await buffers.allocate({ bytes: 16 * MIB })).map();
    await expect(mapping).not.toBePhysicallyContiguous();
  });

  test('GEO-07 20 buffers alive at once share no memory', async ({ buffers }) => {
    const { pageBytes } = buffers;
    const mappings = [];
    for (let i = 0; i < 20; i++) {
      const bytes = (1 + (i % 7) * (i % 5) * 3) * pageBytes + (i % 4 === 0 ? MIB : 0);
      mappings.push(await (await buffers.allocate({ bytes })).map());
    }
    await expect(mappings).toBePhysicallyDisjoint();
  });
});

test('GEO-07 nor do aligned buffers and what lies behind them', async ({ buffers }) => {
  const { promises } = buffers;
  const most = orSkip(promises.alignmentMost, 'the driver takes no alignment');
  // More than any allocator's own.
  const alignBytes = Math.min(most, 2 * MIB);
  const kinds = Object.entries(promises.memories).filter(([, { anyAlignment }]) => anyAlignment === true);
  for (const memory of [undefined, ...kinds.map(([name]) => name)]) {
    const request = { bytes: alignBytes + MIB, alignBytes, ...(memory === undefined ? {} : { memory }) };
    const aligned = [];
    const others = [];
    for (let pair = 0; pair < 4; pair++) {
      const { ok: buffer } = await buffers.attempt(request);
      if (buffer !== undefined) aligned.push(await buffer.map());
      // Its neighbour, if anything is.
      others.push(await (await buffers.allocate({ bytes: MIB })).map());
    }
    await expect([...aligned, ...others]).toBePhysicallyDisjoint();
    for (const mapped of aligned) await expect(mapped).toBePhysicallyAligned(alignBytes);
    for (const mapped of [...aligned, ...others]) {
      await mapped.unmap();
      await mapped.buffer.release();
    }
  }
});
