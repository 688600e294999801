// SPDX-License-Identifier: MIT
/** LIF: memory lives as long as somebody can see it, and no longer. */
import { dirtyMemory, expect, kilobytesOf, forEachStrategy, newNonce, test } from '../../fixtures/index.ts';

const MIB = 1024 * 1024;

forEachStrategy(() => {
  test('LIF-01 a mapping outlives the descriptor it was made from', async ({ buffers, startAgent }) => {
    const buffer = await buffers.allocate({ bytes: 4 * MIB });
    const mapping = await buffer.map();
    const nonce = newNonce();
    await mapping.sign(nonce, 0);
    await buffer.close();
    buffers.reopen();

    // Whoever could get at the memory now gets a chance: other processes and other buffers.
    await dirtyMemory(startAgent);
    const others = [];
    for (let i = 0; i < 16; i++) {
      const other = await (await buffers.allocate({ bytes: 2 * MIB })).map();
      await other.mapping.fill(0xa5);
      others.push(other);
    }
    await expect(mapping).toShowItsOwnPages(nonce);
    await expect([mapping, ...others]).toBePhysicallyDisjoint();
  });

  test('LIF-01 memory comes back when the last mapping goes', async ({ agent, buffers }) => {
    const bytes = 32 * MIB;
    // All rounds together take more than the machine has, unless each gives back what it took.
    const total = kilobytesOf(await agent.readText('/proc/meminfo'), 'MemTotal') * 1024;
    for (let taken = 0; taken <= total; taken += bytes) {
      const buffer = await buffers.allocate({ bytes });
      const mapping = await buffer.map();
      await buffer.close();
      buffers.reopen();
      await mapping.unmap();
    }
  });
});
