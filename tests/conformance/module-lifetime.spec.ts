// SPDX-License-Identifier: MIT
/**
 * LIF-08, PWR-06: the module goes when nobody uses it, and not before; and it comes back as often
 * as one likes. kernel/module/main.c:delete_module, Documentation/driver-api/dma-buf.rst.
 */
import { expect, forEachStrategy, newNonce, test, type Count } from '../../fixtures/index.ts';
import { moduleOf } from '../../harness/profile/loaded-driver.ts';
import type { Agent } from '../../harness/agent/client.ts';
import type { Balance } from '../../harness/judge/observation.ts';

/** Measured in an emulated guest: 10 cycles take 8 s, 100 take 75 s. */
const CYCLES = [
  { cycles: 10, tag: [] },
  { cycles: 100, tag: '@slow' },
];

forEachStrategy(() => {
  test('LIF-08 the module stays while a file, a mapping or a dma-buf needs it', async ({
    agent,
    buffers,
    lifecycle,
  }) => {
    const unloading = { description: 'unloading the module', run: () => lifecycle.tryToUnload(agent) };
    const inUse = ['EAGAIN'];
    const buffer = await buffers.allocate({ bytes: 4 * buffers.pageBytes });
    await expect(unloading).toFailWith(inUse);

    const mapping = await buffer.map();
    const nonce = newNonce();
    await mapping.sign(nonce, 0);
    await buffer.close();
    buffers.reopen();
    await expect(unloading).toFailWith(inUse);
    await expect(mapping).toShowItsOwnPages(nonce);

    await mapping.unmap();
    await lifecycle.tryToUnload(agent);
    expect(await lifecycle.isLoaded(), 'the module is still there').toBe(false);
  });
});

for (const { cycles, tag } of CYCLES) {
  test(
    `PWR-06 loading and unloading ${cycles} times leaves nothing behind`,
    { tag },
    async ({ agent, driver, lifecycle }) => {
      const before = await traces(agent, moduleOf(driver.profile).name);
      await lifecycle.unload();
      const without = await traces(agent, moduleOf(driver.profile).name);
      for (let cycle = 0; cycle < cycles; cycle++) {
        await lifecycle.load();
        await agent.close(await agent.open(driver.profile.device, 'rdwr'));
        await lifecycle.unload();
      }
      const unloaded: Balance = {
        what: `${cycles} cycles`,
        before: without,
        after: await traces(agent, moduleOf(driver.profile).name),
      };
      await lifecycle.load();
      await expect(unloaded).toBalance();
      await expect({
        what: 'the module as it was',
        before,
        after: await traces(agent, moduleOf(driver.profile).name),
      }).toBalance();
    },
  );
}

test('PWR-06 the module refuses parameters that are out of range, and leaves nothing', async ({
  driver,
  lifecycle,
}) => {
  const { badParameters = [] } = driver.profile.system;
  test.skip(badParameters.length === 0, 'the driver has no parameters that can be out of range');
  await lifecycle.unload();
  for (const parameter of badParameters) {
    expect(await lifecycle.refusesToLoad([parameter]), `insmod with ${parameter} is refused`).toBe(true);
  }
  await lifecycle.load();
});

/** Lines about the module in the kernel's own lists. */
async function traces(agent: Agent, module: string): Promise<Count> {
  const lines: Count = {};
  for (const file of ['/proc/devices', '/proc/modules', '/proc/iomem', '/proc/interrupts']) {
    const text = await agent.readText(file);
    lines[`lines of ${file}`] = text.split('\n').filter((line) => line.includes(module)).length;
  }
  return lines;
}
