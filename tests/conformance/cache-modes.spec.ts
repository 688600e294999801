// SPDX-License-Identifier: MIT
/**
 * CAC: how the CPU sees the memory, and ranges handed over between CPU and device.
 * Documentation/core-api/dma-api.rst; arch/x86/mm/pat/memtype.c.
 */
import {
  expect,
  forEachStrategy,
  largePageBytes,
  newNonce,
  test,
  whyNoLargePages,
} from '../../fixtures/index.ts';
import type { Expectation, RangeAttempt } from '../../harness/judge/observation.ts';
import { fieldsOf } from '../../harness/profile/ioctls.ts';
import type { CacheMode } from '../../harness/profile/profile.ts';

/** What suits a cache mode. @param snoops whether the device sees what is in a cache; undefined where nobody knows */
function memoryTypesOf(cache: CacheMode, snoops: boolean | undefined): readonly string[] {
  if (cache === 'cached') return ['write-back'];
  return cache === 'coherent' && snoops !== false ? ['write-back', 'write-combined'] : ['write-combined'];
}

forEachStrategy(() => {
  test('CAC-01 a cache mode is given as it was asked for, or is refused', async ({ buffers, kernelSays }) => {
    const { cacheModes } = buffers.promises;
    test.skip(cacheModes.length === 0, 'no cache mode can be asked for');
    let given = 0;
    for (const cache of cacheModes) {
      const request = { bytes: 16 * buffers.pageBytes, cache };
      const { ok, errno } = await buffers.attempt(request);
      if (ok === undefined) {
        expect(errno, `how ${cache} is refused`).toBe('EOPNOTSUPP');
        continue;
      }
      given += 1;
      expect(ok.allocated.cache, 'the mode that the driver tells').toBe(cache);
      // Two mappings of different modes would not show the same.
      const [first, second] = [await ok.map(), await ok.map()];
      const nonce = newNonce();
      await first.sign(nonce, 0);
      await expect(second).toShowItsOwnPages(nonce);
    }
    expect(given, 'modes that were given').toBeGreaterThan(0);
    expect(await kernelSays('warning'), 'what the kernel logged').toEqual([]);
  });

  test('CAC-01 each kind of memory is given in the cache modes that it has, and in no other', async ({
    agent,
    buffers,
  }) => {
    const { cacheModes, memories } = buffers.promises;
    let looked = 0;
    for (const [memory, kind] of Object.entries(memories)) {
      const documented = await kind.cacheModes?.(agent);
      if (documented === undefined || (await kind.absence?.(agent)) !== undefined) continue;
      const given = [];
      for (const cache of cacheModes) {
        const { ok: buffer, errno } = await buffers.attempt({ bytes: buffers.pageBytes, memory, cache });
        if (buffer === undefined)
          expect(errno, `how ${memory} that is ${cache} is refused`).toBe('EOPNOTSUPP');
        else given.push(cache);
      }
      expect(given, `modes in which ${memory} is given`).toEqual(
        cacheModes.filter((each) => documented.includes(each)),
      );
      looked += 1;
    }
    test.skip(looked === 0, 'the driver does not say which memory has which cache modes');
  });

  test('CAC-03 every mapping of a buffer has the memory type of its cache mode, on every page', async ({
    agent,
    buffers,
    driver,
    pageTables,
    target,
  }) => {
    const { cacheModes, largePages } = buffers.promises;
    const snoops = await driver.profile.system.snoops?.(agent);
    const large = largePages && (await whyNoLargePages(agent, target.facts)) === undefined;
    const sizes = [
      { bytes: 16 * buffers.pageBytes },
      // Which the driver may install in another way than small pages.
      ...(large ? [{ bytes: 2 * largePageBytes(agent), alignBytes: largePageBytes(agent) }] : []),
    ];
    const requests = [undefined, ...cacheModes].flatMap((cache) =>
      sizes.map((size) => ({ ...size, ...(cache === undefined ? {} : { cache }) })),
    );
    for (const request of requests) {
      const { ok: buffer } = await buffers.attempt(request);
      // A mode that this machine does not have is refused, which is CAC-01's.
      if (buffer === undefined) continue;
      const writable = await buffer.map();
      await writable.mapping.touch('write');
      const readable = await buffer.map({ protection: 'r' });
      await readable.mapping.touch('read');
      const child = await agent.fork();
      const theirs = readable.in(child.agent);
      await theirs.mapping.touch('read');
      const told = buffer.allocated.cache;
      await expect({
        label: writable.label,
        ...(told === undefined ? {} : { accepted: memoryTypesOf(told, snoops) }),
        mappings: [
          { what: 'writable', bytes: writable.bytes, runs: await pageTables(writable) },
          { what: 'read-only', bytes: readable.bytes, runs: await pageTables(readable) },
          { what: 'in a child', bytes: theirs.bytes, runs: await pageTables(theirs) },
        ],
      }).toBeSeenAlike();
      await child.exit();
    }
  });

  test('CAC-02 mapping a buffer makes the kernel change no cache mode', async ({ buffers, kernelSays }) => {
    const buffer = await buffers.allocate({ bytes: 64 * buffers.pageBytes });
    for (let round = 0; round < 3; round++) {
      const mapping = await buffer.map();
      await mapping.mapping.touch('write', round);
      await mapping.unmap();
    }
    // x86/PAT: ... map pfn RAM range req X ... got Y
    expect((await kernelSays()).filter((line) => line.includes('PAT'))).toEqual([]);
  });
});

test('CAC-06 handing memory over takes the flags that mean something, in any order', async ({ ioctls }) => {
  const attempts = await ioctls.tryAll(({ call }) => {
    const { synchronises, roles } = call;
    if (synchronises === undefined) return [];
    const { read, write, end } = synchronises;
    const both = read | write;
    const [field] = fieldsOf(call, 'flags');
    const put = (flags: number, accepted: Expectation['accepted']) => ({
      says: `with flags ${flags}`,
      replaced: { [field?.name ?? Object.keys(roles)[0] ?? '']: flags },
      accepted,
    });
    return [
      ...[end | both, read, read, end | read, write, end | write, both, both, end | both, end | both].map(
        (flags) => put(flags, ['success']),
      ),
      ...[0, end].map((flags) => put(flags, ioctls.abi.malformed)),
    ];
  });
  test.skip(attempts.length === 0, 'no ioctl of this driver hands memory over');
  await expect(attempts).toEndAsExpected();
});

/** A range and the fields that say it; without a length it is one byte. */
interface Tried {
  offset: bigint;
  bytes?: bigint;
  replaced: Record<string, bigint>;
}

test('CAC-08 a range given to an ioctl lies inside the buffer, or is refused', async ({ agent, ioctls }) => {
  const ranged = ioctls.calls.filter((call) => fieldsOf(call, 'range').length > 0);
  test.skip(ranged.length === 0, 'no ioctl of this driver takes a range');
  const page = BigInt(agent.pageBytes);
  const attempts: RangeAttempt[] = [];
  await ioctls.forEach(async ({ call, situation, argument }) => {
    const bufferBytes = situation.bufferBytes ?? 0;
    const all = BigInt(bufferBytes);
    const borders = [
      0n,
      1n,
      page,
      all - 1n,
      all,
      all + 1n,
      1n << 31n,
      1n << 32n,
      (1n << 32n) - page,
      1n << 63n,
      (1n << 64n) - page,
      (1n << 64n) - 1n,
    ];
    const tried = fieldsOf(call, 'range').flatMap(({ name, role: { length } }): Tried[] =>
      borders.flatMap((offset) =>
        length === undefined
          ? [{ offset, replaced: { [name]: offset } }]
          : borders.map((bytes) => ({ offset, bytes, replaced: { [name]: offset, [length]: bytes } })),
      ),
    );
    const made = tried.map(async ({ offset, bytes, replaced }): Promise<RangeAttempt> => {
      const { errno } = await agent.attempt(() =>
        agent.ioctl(situation.fd, call.request, argument(replaced)),
      );
      return {
        call: `${call.name} at ${offset}${bytes === undefined ? '' : ` for ${bytes} bytes`} of ${bufferBytes}`,
        outcome: errno === undefined ? { kind: 'success', value: 0 } : { kind: 'error', errno },
        bufferBytes,
        offset: String(offset),
        ...(bytes === undefined ? {} : { length: String(bytes) }),
      };
    });
    attempts.push(...(await Promise.all(made)));
  }, ranged);
  await expect(attempts).toStayInside(ioctls.abi.malformed);
});
