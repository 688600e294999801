// SPDX-License-Identifier: MIT
/**
 * RES-05, DBF-05, CAC-05: another driver imports a buffer, and memory runs out, or its device cannot reach
 * the buffer: it is refused, and the buffer is as it was; or the kernel copies for it, when it is told to.
 * drivers/dma-buf/dma-buf.c, dma_buf_attach, dma_buf_map_attachment and dma_buf_begin_cpu_access;
 * kernel/dma/swiotlb.c; Documentation/fault-injection/fault-injection.rst.
 */
import {
  canFailAllocations,
  expect,
  failingNth,
  orSkip,
  signedBuffer,
  test,
  type Agent,
} from '../../fixtures/index.ts';
import { dmaBufRequests, dmaBufSync, dmaBufSyncFlags } from '../../harness/profile/dma-buf.ts';
import { drmRequests, primeHandle } from '../../harness/profile/drm.ts';

const MIB = 1024 * 1024;
/** More allocations than one call may make; reaching it means that they never ended. */
const MOST = 500;
/** Of the rig's own importer: how many address bits its device drives. */
const IMPORTER_BITS = '/sys/module/bufrig_importer/parameters/dma_bits';
/** Fewer than any machine's memory needs, and 64 for all of it. */
const TOO_FEW = 16;
const ENOUGH = 64;
/** Fewer bytes than one place of the bounce buffer has: IO_TLB_SEGSIZE slots of 2 KiB. */
const PAGES = 3;
const { READ, WRITE, END } = dmaBufSyncFlags;
/** Of the rig's own importer: where in its file the buffer begins as its device sees it. */
const DEVICE_VIEW = 2n ** 40n;
/** A cache line of the largest kind, at both ends of a page. */
const SAMPLE = 128;

test.use({ strategy: 'dma-buf' });
test.describe('dma-buf', { tag: '@dma-buf' }, () => {
  test('RES-05 any allocation of the kernel may fail while another driver imports a buffer', async ({
    agent,
    buffers,
    importer,
    balanceOf,
  }) => {
    test.skip(!(await canFailAllocations(agent)), 'the kernel has no fault injection (CONFIG_FAILSLAB)');
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: MIB });
    const refusals: string[] = [];
    const balance = await balanceOf('imports with a failing allocation', async () => {
      const file = await agent.open(importer, 'rdwr');
      for (let nth = 1, last = 1; last > 0; nth++) {
        expect(nth, 'allocations in one import').toBeLessThan(MOST);
        const { outcome, failed } = await failingNth(agent, nth, () =>
          imported(agent, file, buffer.allocated.fd),
        );
        if (outcome.errno !== undefined) refusals.push(outcome.errno);
        last = failed;
      }
      await agent.close(file);
    });
    expect(refusals.length, 'imports that were refused').toBeGreaterThan(2);
    expect(new Set(refusals), 'how they were refused').toEqual(new Set(['ENOMEM']));
    await expect(balance).toBalance();
    await expect(await buffer.map()).toShowItsOwnPages(nonce);
  });

  test('DBF-05 an importer whose device cannot reach a buffer is refused, and another is not', async ({
    agent,
    buffers,
    importer,
    balanceOf,
  }) => {
    const { ok: bits } = await agent.attempt(() => agent.open(IMPORTER_BITS, 'wronly'));
    const knob = orSkip(bits, 'the importer on this target reaches all memory');
    const reach = (count: number) => agent.write(knob, Buffer.from(String(count)));
    // More than a bounce buffer takes.
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 2 * MIB });
    const importing = (file: number) => imported(agent, file, buffer.allocated.fd);
    const balance = await balanceOf('an import that was refused', async () => {
      const file = await agent.open(importer, 'rdwr');
      await reach(TOO_FEW);
      const short = { description: 'importing', run: () => importing(file) };
      try {
        await expect(short).toFailWith(['EIO', 'ENOMEM']);
      } finally {
        await reach(ENOUGH);
      }
      await importing(file);
      await agent.close(file);
    });
    await expect(balance).toBalance();
    await expect(await buffer.map()).toShowItsOwnPages(nonce);
  });

  test('DBF-05 an importer’s device and the kernel see the whole buffer, each page in its place, and no more', async ({
    agent,
    buffers,
    viewer,
  }) => {
    const { pageBytes } = buffers;
    const { alignmentMost = 1 } = buffers.promises;
    // More than the kernel's allocators align by themselves: such a buffer lies inside a larger piece.
    const requests = [{}, ...(alignmentMost > 1 ? [{ alignBytes: Math.min(alignmentMost, 16 * MIB) }] : [])];
    let seen = 0;
    for (const request of requests) {
      const { buffer } = await signedBuffer(buffers, { bytes: 5 * pageBytes, ...request });
      const file = await agent.open(viewer, 'rdwr');
      await imported(agent, file, buffer.allocated.fd);
      const { mapping } = await buffer.map();
      for (const [who, start] of [
        ['the kernel', 0n],
        ['its device', DEVICE_VIEW],
      ] as const) {
        const view = (at: number) => agent.attempt(() => agent.read(file, SAMPLE, start + BigInt(at)));
        if ((await view(0)).errno === 'EOPNOTSUPP') continue;
        const places = Array.from({ length: buffer.bytes / pageBytes }, (_, page) => [
          page * pageBytes,
          (page + 1) * pageBytes - SAMPLE,
        ]).flat();
        for (const at of places) {
          const { ok, errno } = await view(at);
          const there = ok?.toString('hex') ?? errno;
          expect(there, `what ${who} sees of byte ${at}`).toBe(
            (await mapping.peek(at, SAMPLE)).toString('hex'),
          );
          seen++;
        }
        expect((await view(buffer.bytes)).errno, `what ${who} sees beyond the buffer`).toBe('ENXIO');
      }
      await agent.close(file);
      await mapping.unmap();
      await buffer.release();
    }
    expect(seen, 'places that were looked at').toBeGreaterThan(0);
  });

  test('CAC-05 handing over moves the data of a device for which the kernel copies', async ({
    agent,
    buffers,
    importer,
  }) => {
    const buffer = await buffers.allocate({ bytes: PAGES * buffers.pageBytes });
    const contents = await buffer.map();
    const sync = (flags: number) =>
      agent.ioctl(buffer.allocated.fd, dmaBufRequests.SYNC, dmaBufSync.encode({ flags }));
    const file = await agent.open(importer, 'rdwr');
    const before = await slotsInUse(agent);
    await imported(agent, file, buffer.allocated.fd);
    test.skip((await slotsInUse(agent)) <= before, 'the kernel does not copy for the importer here');
    await contents.mapping.fill(0x11);
    await sync(END | READ | WRITE);
    // Without END this never leaves the CPU's copy: that it is lost shows that there are two.
    await contents.mapping.fill(0x22);
    await sync(READ | WRITE);
    await expect(contents, 'what was handed over').toHoldOnly(0x11);
    await contents.mapping.fill(0x33);
    await sync(END | READ | WRITE);
    await sync(READ | WRITE);
    await expect(contents, 'what was handed over and back').toHoldOnly(0x33);
    await agent.close(file);
    expect(await slotsInUse(agent), 'slots in use when the importer is gone').toBe(before);
    await expect(contents, 'the buffer when the importer is gone').toHoldOnly(0x33);
  });
});

async function imported(agent: Agent, file: number, fd: number): Promise<void> {
  await agent.ioctl(file, drmRequests.PRIME_FD_TO_HANDLE, primeHandle.encode({ fd }));
}

/** How much of the bounce buffer is in use; 0 where there is none. kernel/dma/swiotlb.c, debugfs. */
async function slotsInUse(agent: Agent): Promise<number> {
  const { ok: text } = await agent.attempt(() => agent.readText('/sys/kernel/debug/swiotlb/io_tlb_used'));
  return Number(text ?? 0);
}
