// SPDX-License-Identifier: MIT
/**
 * LIF-02 to LIF-05, LIF-09, LIF-11: what freeing does, to whom, and what it must not do. Memory that was
 * given back while a mapping showed it is CVE-2024-0582 (io_uring) and CVE-2026-43497 (udlfb).
 */
import {
  expect,
  forEachStrategy,
  freeBytes,
  isAccounted,
  observed,
  orSkip,
  repeat,
  signedBuffer,
  test,
  type Expectation,
} from '../../fixtures/index.ts';

const MIB = 1024 * 1024;
const LIVING = 8;

forEachStrategy(() => {
  test('LIF-02 a buffer that is freed while it is mapped stays whole until the last mapping goes', async ({
    buffers,
    agent,
  }) => {
    const bytes = 8 * MIB;
    const before = await freeBytes(agent);
    const { buffer, nonce } = await signedBuffer(buffers, { bytes });
    const mapped = await buffer.map();
    const child = await agent.fork();
    if (buffers.promises.freeWhileMapped === 'busy') {
      await expect([await observed('free while mapped', ['EBUSY'], () => buffer.free())]).toEndAsExpected();
      await child.exit();
      return;
    }
    await buffer.free();
    await buffer.close();
    buffers.reopen();
    const others = [];
    for (let i = 0; i < 8; i++) {
      const other = await (await buffers.allocate({ bytes: 4 * MIB })).map();
      await other.mapping.fill(0xa5);
      others.push(other);
    }
    await expect(mapped, 'in the owner').toShowItsOwnPages(nonce);
    await expect(mapped.in(child.agent), 'in its child').toShowItsOwnPages(nonce);
    for (const other of others) {
      await other.unmap();
      await other.buffer.release();
    }
    await mapped.unmap();
    await expect(mapped.in(child.agent), 'in the child alone').toShowItsOwnPages(nonce);
    await child.exit();
    await expect
      .poll(async () => before - (await freeBytes(agent)), { message: 'bytes still in use' })
      .toBeLessThan(bytes / 2);
  });

  test('LIF-02 the name of a freed buffer is gone at once, for everyone', async ({ buffers }) => {
    test.skip(!(await buffers.haveNames()), 'the driver has no names to attach buffers by');
    test.skip(buffers.promises.freeWhileMapped === 'busy', 'nothing is freed while it is mapped');
    const { buffer } = await signedBuffer(buffers, { bytes: 4 * buffers.pageBytes });
    const mapped = await buffer.map();
    const attached = await buffers.others().attach(buffer);
    await buffers.others().free(buffer);
    const gone = [
      await observed('attach of a freed buffer', ['ENOENT'], () => buffers.others().attach(buffer)),
      await observed('free of a freed buffer', ['ENOENT'], () => buffers.others().free(buffer)),
    ];
    await expect(gone).toEndAsExpected();
    expect(attached.bytes).toBe(mapped.bytes);
  });

  test('LIF-02 whose descriptor holds a buffer can map it also when somebody else freed its name', async ({
    buffers,
    driver,
    strategy,
  }) => {
    test.skip(!(await buffers.haveNames()), 'the driver has no names to free buffers by');
    test.skip(
      driver.profile.strategies[strategy]?.holdsBuffers !== true,
      'descriptors hold no buffers: they go with their names',
    );
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 4 * buffers.pageBytes });
    const attached = await buffers.others().attach(buffer);
    await buffers.others().free(buffer);
    await expect(await buffer.map(), 'by its maker').toShowItsOwnPages(nonce);
    await expect(await attached.map(), 'by who attached it').toShowItsOwnPages(nonce);
  });

  test('LIF-03 freeing twice, or what never was, changes nothing for others', async ({ buffers }) => {
    test.skip(!(await buffers.haveNames()), 'the driver has no names to free buffers by');
    const { pageBytes } = buffers;
    const live = await signedBuffer(buffers, { bytes: 4 * pageBytes });
    const gone = await buffers.allocate({ bytes: 4 * pageBytes });
    const someone = buffers.others();
    await someone.free(gone);
    const calls: Expectation[] = [];
    for (const name of [
      gone.name ?? 0,
      (gone.name ?? 0) + 1,
      (gone.name ?? 0) + 1000,
      0x7fff_ffff,
      0xffff_ffff,
    ]) {
      const free = () => someone.free({ name });
      calls.push(await observed(`free of ${name}`, ['ENOENT', 'EINVAL'], free));
    }
    await expect(calls).toEndAsExpected();
    await expect(await live.buffer.map()).toShowItsOwnPages(live.nonce);
  });

  test('LIF-04 of two mappings of a freed buffer the second stays when the first goes', async ({
    buffers,
  }) => {
    test.skip(buffers.promises.freeWhileMapped === 'busy', 'nothing is freed while it is mapped');
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 2 * MIB });
    const [first, second] = [await buffer.map(), await buffer.map()];
    await buffer.release();
    await first.unmap();
    for (let i = 0; i < 8; i++) {
      const other = await (await buffers.others().allocate({ bytes: 2 * MIB })).map();
      await other.mapping.fill(0xa5);
    }
    await expect(second).toShowItsOwnPages(nonce);
  });

  test('LIF-05 what others attached survives its owner, who is killed', async ({ buffers, agent }) => {
    test.skip(!(await buffers.haveNames()), 'the driver has no names to attach buffers by');
    const bytes = 8 * MIB;
    const accounted = await isAccounted(buffers, agent);
    const before = await freeBytes(agent);
    const owner = await agent.fork();
    const { buffer, nonce } = await signedBuffer(buffers.others({ agent: owner.agent }), { bytes });
    const attached = await buffers.attach(buffer);
    const mapped = await attached.map();
    await owner.kill();
    await expect(mapped, 'mapped before').toShowItsOwnPages(nonce);
    await expect(await attached.map(), 'mapped afterwards').toShowItsOwnPages(nonce);
    await attached.release();
    await expect(mapped, 'after the last descriptor went').toShowItsOwnPages(nonce);
    const used = before - (await freeBytes(agent));
    if (accounted) expect(used, 'bytes in use').toBeGreaterThan(0.8 * bytes);
  });

  test('LIF-05 what others attached stays theirs, and its name with it, when its maker detaches it', async ({
    buffers,
  }) => {
    test.skip(!(await buffers.haveNames()), 'the driver has no names to attach buffers by');
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 4 * buffers.pageBytes });
    const detach = orSkip(buffer.allocated.detach, 'no open file lets go of a buffer that others keep');
    const attached = await buffers.others().attach(buffer);
    await detach();
    await expect(await attached.map(), 'in a file that had it').toShowItsOwnPages(nonce);
    const late = await buffers.others().attach(buffer);
    await expect(await late.map(), 'in a file that got it afterwards').toShowItsOwnPages(nonce);
  });

  test('LIF-09 the name of a freed buffer is not given to another one soon, nor its place', async ({
    buffers,
    driver,
    strategy,
  }) => {
    const unused = buffers.promises.namesUnusedFor;
    test.skip(
      unused === undefined || !(await buffers.haveNames()),
      'the driver makes no promise about names',
    );
    const { pageBytes } = buffers;
    const stale = await buffers.allocate({ bytes: pageBytes });
    await stale.release();
    const { places } = driver.profile.strategies[strategy] ?? {};
    const seen = new Set([stale.name]);
    const taken = new Set([stale.allocated.mmapOffset]);
    for (let round = 0; round < 10; round++) {
      const some = await Promise.all(
        Array.from({ length: 20 }, () => buffers.allocate({ bytes: pageBytes })),
      );
      for (const { name, allocated } of some) {
        expect(seen, 'names that were in use before').not.toContain(name);
        if (places !== undefined)
          expect(taken, 'places that were in use before').not.toContain(allocated.mmapOffset);
        seen.add(name);
        taken.add(allocated.mmapOffset);
      }
      await Promise.all(some.map((each) => each.release()));
    }
    const attach = () => buffers.others().attach(stale);
    await expect([await observed('attach by a stale name', ['ENOENT'], attach)]).toEndAsExpected();
  });

  test('LIF-11 calls that fail leave no descriptor behind', async ({ buffers, agent }) => {
    const { pageBytes, promises } = buffers;
    const buffer = await buffers.allocate({ bytes: pageBytes });
    const before = await agent.openFiles();
    for (let round = 0; round < 10; round++) {
      for (const bytes of [0, 2n ** 62n, 2n ** 64n - 1n].filter((each) => buffers.canTry(each))) {
        expect(await agent.attempt(() => buffers.allocate({ bytes }))).toMatchObject({
          errno: expect.any(String),
        });
      }
      expect(await agent.attempt(() => buffer.map({ at: pageBytes, bytes: pageBytes }))).toMatchObject({
        errno: expect.stringMatching(promises.outOfBounds.join('|')),
      });
      if (await buffers.haveNames()) {
        const { errno } = await agent.attempt(() => buffers.attach({ name: 0x7fff_ffff }));
        expect(errno).toBeDefined();
      }
    }
    expect(await agent.openFiles()).toEqual(before);
  });
});

// 15 s.
test(
  'LIF-09 nor to any of as many as the driver promises',
  { tag: '@slow' },
  async ({ agent, driver, ioctls, buffers }) => {
    const unused = driver.profile.properties.namesUnusedFor;
    test.skip(
      unused === undefined || !(await buffers.haveNames()),
      'the driver makes no promise about names',
    );
    const pile = orSkip(ioctls.abi.pile, 'open files of this driver hold no buffers');
    test.setTimeout(8 * test.info().timeout);
    const stale = await buffers.allocate({ bytes: buffers.pageBytes });
    await stale.release();
    const patient = agent.allowing(120_000);
    for (let left = (unused ?? 0) - 1; left > 0; left -= 1000) {
      // They live until the name was looked up, so whoever got it would be found.
      const fd = await agent.open(driver.profile.device, 'rdwr');
      const count = Math.min(left, 1000);
      const [made] = await repeat(patient, count, [pile(fd, agent.pageBytes)]);
      expect(made).toEqual({ ok: count, failed: {} });
      const attach = () => buffers.others().attach(stale);
      await expect([await observed('attach by a stale name', ['ENOENT'], attach)]).toEndAsExpected();
      await agent.close(fd);
    }
  },
);

forEachStrategy(() => {
  // 52 s.
  test(
    'LIF-09 when all places have been used and begin anew, those of living buffers are theirs',
    { tag: '@slow' },
    async ({ agent, driver, strategy, buffers }) => {
      const { places } = driver.profile.strategies[strategy] ?? {};
      const { count, take } = orSkip(places, 'buffers have no places that could be used up');
      test.setTimeout(8 * test.info().timeout);
      const make = async (many: number) => {
        const made = [];
        for (let i = 0; i < many; i++) made.push(await signedBuffer(buffers, { bytes: buffers.pageBytes }));
        return made;
      };
      const old = await make(LIVING);
      const patient = agent.allowing(120_000);
      // Until as many places are left as there are living buffers.
      for (let left = count - 2 * LIVING; left > 0; left -= 1000) {
        const fd = await agent.open(driver.profile.device, 'rdwr');
        const some = Math.min(left, 1000);
        const [made] = await repeat(patient, some, [take(fd, agent.pageBytes)]);
        expect(made).toEqual({ ok: some, failed: {} });
        await agent.close(fd);
      }
      const young = await make(3 * LIVING);
      for (const { buffer, nonce } of [...old, ...young])
        await expect(await buffer.map()).toShowItsOwnPages(nonce);
    },
  );
});
