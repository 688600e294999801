// SPDX-License-Identifier: MIT
/**
 * RES-05, DBF-05: another driver imports a buffer, and memory runs out, or its device cannot reach the
 * buffer: it is refused, and the buffer is as it was. drivers/dma-buf/dma-buf.c, dma_buf_attach and
 * dma_buf_map_attachment; Documentation/fault-injection/fault-injection.rst.
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
import { drmRequests, primeHandle } from '../../harness/profile/drm.ts';

const MIB = 1024 * 1024;
/** More allocations than one call may make; reaching it means that they never ended. */
const MOST = 500;
/** Of the rig's own importer: how many address bits its device drives. */
const IMPORTER_BITS = '/sys/module/bufrig_importer/parameters/dma_bits';
/** Fewer than any machine's memory needs, and 64 for all of it. */
const TOO_FEW = 16;
const ENOUGH = 64;

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
});

async function imported(agent: Agent, file: number, fd: number): Promise<void> {
  await agent.ioctl(file, drmRequests.PRIME_FD_TO_HANDLE, primeHandle.encode({ fd }));
}
