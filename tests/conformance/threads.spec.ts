// SPDX-License-Identifier: MIT
/**
 * FRK-05, FRK-06, CON-02, CON-09: threads of one process, which share mappings and descriptors, do everything
 * at once. mm/mmap.c, kernel/fork.c: dup_mmap(); CVE-2020-14351 (perf), CVE-2022-22942 (vmwgfx).
 */
import {
  beginThread,
  expect,
  forEachStrategy,
  ioctlStep,
  lowestFree,
  repeat,
  signedBuffer,
  test,
  type DriverBuffer,
} from '../../fixtures/index.ts';
import { fieldsOf } from '../../harness/profile/ioctls.ts';

/** asm-generic/mman.h, the same on every architecture of the rig. */
const PROT_READ_WRITE = 3;
const MAP_SHARED_FIXED = 0x11;
const MREMAP_MAYMOVE_FIXED = 3;
const ROUNDS = 1500;
const FORKS = 12;
/** Calls that make a descriptor, and attempts of the thread to close it meanwhile. */
const [EXPORTS, CLOSES] = [400, 20_000];
/**
 * Descriptors that the thread is to be the first to close, of each call, and how often that is tried. Measured in an
 * emulated guest: 600 take 4 to 7 s.
 */
const CLOSED = [
  { races: 100, batches: 12, tag: [] },
  { races: 600, batches: 12, tag: '@slow' },
];
const PAGES = 8;

const complaint = /WARN|BUG|Bad|corrupt/;

forEachStrategy(() => {
  test('FRK-06 the end of a thread that made and used a mapping changes nothing', async ({
    buffers,
    agent,
  }) => {
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: PAGES * buffers.pageBytes });
    const [mapped, theirs] = [await buffer.map(), await buffer.map()];
    // A thread's mmap() has no offsets of 64 bits on a 32-bit machine.
    const mapping = agent.hello.pointerBytes < 8 ? [] : [mapOver(buffer, theirs.address)];
    for (let thread = 0; thread < 5; thread++) {
      const looking = await beginThread(agent, 20, [
        ...mapping,
        ['look', mapped.address, mapped.bytes],
        ['look', theirs.address, theirs.bytes],
      ]);
      const ends = await looking.end();
      expect(ends).toEqual(ends.map(() => ({ ok: 20, failed: 0 })));
      await expect([mapped, theirs], `after ${thread + 1} threads`).toShowItsOwnPages(nonce);
    }
    await mapped.unmap();
    await theirs.unmap();
    await expect(await buffer.map()).toShowItsOwnPages(nonce);
  });

  test('FRK-05 children that are forked while a thread maps and unmaps are whole', async ({
    buffers,
    agent,
    kernelSays,
  }) => {
    test.skip(agent.hello.pointerBytes < 8, 'a thread’s mmap() has no offsets of 64 bits here');
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: PAGES * buffers.pageBytes });
    const [steady, churned] = [await buffer.map(), await buffer.map()];
    const thread = await beginThread(agent, ROUNDS, [
      ['munmap', churned.address, churned.bytes],
      mapOver(buffer, churned.address),
      ['look', churned.address, buffers.pageBytes],
    ]);
    for (let fork = 0; fork < FORKS; fork++) {
      const child = await agent.fork();
      await expect(steady.in(child.agent), `in child ${fork}`).toShowItsOwnPages(nonce);
      // What the thread was at when the child came to be is there or is not, and is never another page.
      const seen = await child.agent.attempt(() => churned.in(child.agent).readback(nonce, 0));
      if (seen.ok === undefined) expect(seen.fault?.signal, `in child ${fork}`).toBe('SIGSEGV');
      else expect(seen.ok, `in child ${fork}`).toEqual(Array.from({ length: PAGES }, (_, page) => page));
      await child.exit();
    }
    const [unmapped, mapped] = await thread.end();
    expect([unmapped, mapped]).toEqual([
      { ok: ROUNDS, failed: 0 },
      { ok: ROUNDS, failed: 0 },
    ]);
    await expect([steady, churned]).toShowItsOwnPages(nonce);
    expect(
      (await kernelSays()).filter((line) => complaint.test(line)),
      'what the kernel logged',
    ).toEqual([]);
  });

  test('CON-02 mapping, touching, moving and freeing at once leave what nobody touched as it was', async ({
    buffers,
    agent,
    kernelSays,
  }) => {
    test.skip(agent.hello.pointerBytes < 8, 'a thread’s mmap() has no offsets of 64 bits here');
    test.skip(buffers.promises.freeWhileMapped === 'busy', 'nothing is freed while it is mapped');
    const { pageBytes } = buffers;
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: PAGES * pageBytes });
    const steady = await buffer.map();
    const { bytes } = steady;
    const room = await agent.mmap({ length: 2 * bytes, shared: false, protection: 'none' });
    const elsewhere = await agent.mmap({ length: bytes, shared: false, protection: 'none' });
    const [here, there] = [room.address, room.address + bytes];
    const mapping = await beginThread(agent, ROUNDS, [
      mapOver(buffer, here),
      ['yield'],
      ['munmap', here + pageBytes, pageBytes],
      ['munmap', here, bytes],
    ]);
    const looking = await beginThread(agent, 4 * ROUNDS, [
      ['look', here, bytes],
      ['look', there, bytes],
    ]);
    const moving = await beginThread(agent, ROUNDS, [
      ['mremap', here, bytes, bytes, MREMAP_MAYMOVE_FIXED, there],
      ['mprotect', there, bytes, 1],
      ['munmap', there, bytes],
    ]);
    for (let round = 0; round < 10; round++) {
      const other = await buffers.others().allocate({ bytes });
      // At a place of its own: where the threads unmap, the kernel would put it in their way.
      await (await other.map({ address: elsewhere.address, flags: ['fixed'] })).mapping.fill(0xa5);
      await other.release();
    }
    // From here on the first thread has nothing to map any more.
    await buffer.free();
    const [mapped] = await mapping.end();
    const [looked] = await looking.end();
    await moving.end();
    expect(mapped?.ok, 'mappings that were made').toBeGreaterThan(0);
    expect(looked?.ok, 'mappings that were met').toBeGreaterThan(0);
    await expect(steady).toShowItsOwnPages(nonce);
    expect(
      (await kernelSays()).filter((line) => complaint.test(line)),
      'what the kernel logged',
    ).toEqual([]);
  });
});

for (const { races, batches, tag } of CLOSED) {
  test(
    `CON-09 ${races} descriptors that another thread closes at once are nobody’s any more`,
    { tag },
    async ({ agent, ioctls, balanceOf }) => {
      const makers = ioctls.calls.filter(
        (call) => fieldsOf(call, 'out-descriptor').length > 0 || call.returnsDescriptor === true,
      );
      test.skip(makers.length === 0, 'no ioctl of this driver returns a descriptor');
      const balance = await balanceOf('descriptors that were closed at once', () =>
        ioctls.forEach(async ({ call, situation, argument }) => {
          const before = (await agent.openFiles()).map(({ fd }) => fd);
          // A thread has two files of its own open, which come first.
          const own = lowestFree(before);
          const next = lowestFree([...before, own, lowestFree([...before, own])]);
          let raced = 0;
          for (let batch = 0; batch < batches && raced < races; batch++) {
            const thread = await beginThread(agent, CLOSES, [['close', next]]);
            const [made, open] = await repeat(agent, EXPORTS, [
              ioctlStep(situation.fd, call.request, argument()),
              ['close', next],
            ]);
            await thread.end();
            expect(made, 'calls').toEqual({ ok: EXPORTS, failed: {} });
            // What is not open any more when the call has returned was closed while it was being made.
            raced += open?.failed['EBADF'] ?? 0;
          }
          expect(raced, 'descriptors that the thread closed').toBeGreaterThan(0);
        }, makers),
      );
      await expect(balance).toBalance();
    },
  );
}

/** The whole buffer, shared, over whatever is there. */
function mapOver({ allocated, bytes }: DriverBuffer, address: number) {
  const { fd, mmapOffset } = allocated;
  return ['mmap', address, bytes, PROT_READ_WRITE, MAP_SHARED_FIXED, fd, mmapOffset] as const;
}
