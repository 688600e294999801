// SPDX-License-Identifier: MIT
/**
 * GEO-02: what a driver shows of its buffers is so: root (Documentation/filesystems/debugfs.rst), everybody, and
 * whoever has a file open (Documentation/filesystems/proc.rst: /proc/PID/fdinfo).
 */
import { expect, forEachStrategy, NOBODY, orSkip, test } from '../../fixtures/index.ts';

const [MADE, REFUSED] = [5, 3];

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
    return {
      ...{ name, requestedBytes, allocatedBytes, memory, cache, physicalAddress },
      ...{ openFiles: 1, mappings: 0 },
    };
  });
  expect(told.length, 'buffers').toBeGreaterThan(0);
  expect(await list(), 'with more buffers').toEqual([...before, ...told]);

  for (const buffer of made) await (await buffer.map()).unmap();
  expect(await list(), 'no longer mapped').toEqual([...before, ...told]);

  const mapped = await Promise.all(made.map((buffer) => buffer.map()));
  for (const buffer of made) await buffer.free();
  const orphans = (mappings: number) =>
    told.map((one) => ({ ...one, name: undefined, openFiles: 0, mappings }));
  expect(await list(), 'mapped, and without names').toEqual([...before, ...orphans(1)]);

  for (const mapping of mapped) await mapping.pages(1, 1).unmap();
  expect(await list(), 'cut in two').toEqual([...before, ...orphans(2)]);
  const child = await agent.fork();
  expect(await list(), 'and a child’s, too').toEqual([...before, ...orphans(4)]);
  await child.exit();
  expect(await list(), 'when the child has gone').toEqual([...before, ...orphans(2)]);

  for (const mapping of mapped) await mapping.unmap();
  for (const buffer of made) await buffer.close();
  expect(await list(), 'without them').toEqual(before);
});

test('GEO-02 what it counts for everybody is so, also of buffers without a name', async ({
  agent,
  buffers,
  driver,
}) => {
  const { alive, counted, listing } = driver.profile.system;
  const { made, refused } = orSkip(counted, 'the driver counts nothing for everybody');
  const child = await agent.fork();
  await child.agent.request('setuid', NOBODY);
  const told = async () =>
    Object.fromEntries(
      await Promise.all(
        Object.entries({ ...alive, made, refused }).map(
          async ([what, file]) => [what, Number(await child.agent.readText(file))] as const,
        ),
      ),
    );
  const before = await told();
  const mapped = [];
  for (let i = 0; i < MADE; i++) mapped.push(await (await buffers.allocate({ bytes: 1 })).map());
  for (let i = 0; i < REFUSED; i++) {
    const { errno } = await agent.attempt(() => buffers.allocate({ bytes: 2n ** 60n }));
    expect(errno, 'how 2^60 bytes are refused').toBe('ENOMEM');
  }
  const now = {
    buffers: (before['buffers'] ?? 0) + MADE,
    bytes: (before['bytes'] ?? 0) + MADE * buffers.pageBytes,
    made: (before['made'] ?? 0) + MADE,
    refused: (before['refused'] ?? 0) + REFUSED,
  };
  expect(await told(), 'with more buffers').toEqual(now);
  for (const { buffer } of mapped) await buffer.free();
  expect(await told(), 'when they are only mapped').toEqual(now);
  if (listing !== undefined) {
    const rows = listing.read(await agent.readText(listing.file));
    const bytes = rows.reduce((sum, { allocatedBytes }) => sum + allocatedBytes, 0);
    expect({ buffers: rows.length, bytes }, 'the list for root').toEqual({
      buffers: now.buffers,
      bytes: now.bytes,
    });
  }
  for (const each of mapped) await each.unmap();
  expect(await told(), 'without them').toEqual({ ...now, ...before, made: now.made, refused: now.refused });
  await child.exit();
});

forEachStrategy(() => {
  test('GEO-02 what the system tells of an open file is how it names buffers, which it has, and what they cost', async ({
    agent,
    buffers,
    driver,
    strategy,
  }) => {
    const read = orSkip(driver.profile.system.openFile, 'the driver tells nothing of its open files');
    const first = await buffers.allocate({ bytes: 1 });
    const second = await buffers.allocate({ bytes: 3 * buffers.pageBytes + 1 });
    const made = [first, second];
    const files = new Map((await agent.openFiles()).map(({ fd, file }) => [fd, file]));
    const own = made.every(({ allocated }) => files.get(allocated.fd) === driver.profile.device);
    test.skip(!own, 'what is mapped is not the driver’s own file');
    const told = async (fd: number) => {
      const { buffers: having, ...rest } = read(await agent.readText(`/proc/self/fdinfo/${fd}`));
      return { ...rest, buffers: having.toSorted((one, other) => (one.name ?? 0) - (other.name ?? 0)) };
    };
    const expectAll = async (when: string, charged: typeof made, having: typeof made) => {
      for (const fd of new Set(made.map(({ allocated }) => allocated.fd))) {
        const [cost, there] = [charged, having].map((all) =>
          all.map(({ allocated }) => allocated).filter((buffer) => buffer.fd === fd),
        );
        expect(await told(fd), when).toEqual({
          chargedBytes: cost?.reduce((sum, { allocatedBytes }) => sum + allocatedBytes, 0),
          strategy: there?.length === 0 ? undefined : strategy,
          buffers: there?.map(({ name, allocatedBytes }) => ({ name, allocatedBytes })),
        });
      }
    };

    await expectAll('with two buffers', made, made);
    const mapped = await second.map();
    await second.free();
    await expectAll('when one is only mapped', made, [first]);
    await mapped.unmap();
    await expectAll('when it is gone', [first], [first]);
  });
});
