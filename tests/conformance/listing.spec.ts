// SPDX-License-Identifier: MIT
/** GEO-02: what a driver shows root of its buffers (Documentation/filesystems/debugfs.rst) is so. */
import { expect, orSkip, test } from '../../fixtures/index.ts';

test('GEO-02 the list for root says of every buffer that lives what it is, and where', async ({
  agent,
  buffers,
  driver,
}) => {
  const { file, read } = orSkip(driver.profile.system.listing, 'the driver keeps no list of its buffers');
  const list = async () => read(await agent.readText(file));
  const before = await list();
  const made = [];
  for (const cache of buffers.promises.cacheModes) {
    const own = buffers.others();
    const { ok: buffer, errno } = await agent.attempt(() =>
      own.allocate({ bytes: 3 * buffers.pageBytes + 1, cache }),
    );
    if (buffer === undefined) expect(errno, `memory that is ${cache}`).toBe('EOPNOTSUPP');
    else made.push(buffer);
  }
  const told = made.map(({ allocated }) => {
    const { name, requestedBytes, allocatedBytes, memory, cache, physicalAddress } = allocated;
    return { ...{ name, requestedBytes, allocatedBytes, memory, cache, physicalAddress }, mappings: 0 };
  });
  expect(told.length, 'buffers').toBeGreaterThan(0);
  expect(await list(), 'with more buffers').toEqual([...before, ...told]);

  for (const buffer of made) await (await buffer.map()).unmap();
  expect(await list(), 'no longer mapped').toEqual([...before, ...told]);

  const mapped = await Promise.all(made.map((buffer) => buffer.map()));
  for (const buffer of made) await buffer.free();
  const orphans = told.map((one) => ({ ...one, name: undefined, mappings: 1 }));
  expect(await list(), 'mapped, and without names').toEqual([...before, ...orphans]);

  for (const mapping of mapped) await mapping.unmap();
  for (const buffer of made) await buffer.close();
  expect(await list(), 'without them').toEqual(before);
});
