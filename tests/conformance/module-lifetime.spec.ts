// SPDX-License-Identifier: MIT
/**
 * LIF-08, PWR-06, RES-05: the module goes when nobody uses it, and not before; it comes back as often as
 * one likes, and leaves nothing when it cannot. kernel/module/main.c, Documentation/driver-api/dma-buf.rst.
 */
import {
  canFailAllocations,
  expect,
  failingNth,
  forEachStrategy,
  newNonce,
  orSkip,
  test,
  type Count,
} from '../../fixtures/index.ts';
import { moduleOf } from '../../harness/profile/loaded-driver.ts';
import type { Agent } from '../../harness/agent/client.ts';
import type { Balance } from '../../harness/judge/observation.ts';

/** Measured in an emulated guest: 5 cycles take 0.7 s, 100 take 12 s. */
const CYCLES = [
  { cycles: 5, tag: [] },
  { cycles: 100, tag: '@slow' },
];

/** More allocations than one call may make; reaching it means that they never ended. */
const MOST = 2000;
/** An allocation that no call comes to. */
const NEVER = 1_000_000_000;

forEachStrategy(() => {
  test('LIF-08 the module stays while a file, a mapping or a dma-buf needs it', async ({
    agent,
    buffers,
    lifecycle,
  }) => {
    const unloading = { description: 'unloading the module', run: () => lifecycle.tryToUnload(agent) };
    const inUse = ['EAGAIN'];
    // Where the module does not stay, nobody waits for the end of the process that needs it.
    const child = await agent.fork();
    const own = buffers.others({ agent: child.agent });
    const buffer = await own.allocate({ bytes: 4 * buffers.pageBytes });
    await expect(unloading).toFailWith(inUse);

    const mapping = await buffer.map();
    const nonce = newNonce();
    await mapping.sign(nonce, 0);
    await buffer.close();
    await expect(unloading).toFailWith(inUse);
    await expect(mapping).toShowItsOwnPages(nonce);

    await mapping.unmap();
    await child.exit();
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

test('PWR-06 the module goes and comes back whatever its parameters were set to meanwhile', async ({
  agent,
  driver,
  lifecycle,
  target,
}) => {
  const { name } = moduleOf(driver.profile);
  const { stdout } = await target.exec(['find', `/sys/module/${name}/parameters`, '-type', 'f']);
  const parameters = stdout.split('\n').filter((path) => path !== '');
  test.skip(parameters.length === 0, 'the module has no parameters');
  await lifecycle.unload();
  const without = await traces(agent, name);
  for (const value of ['0', '1', '64']) {
    await lifecycle.load();
    // Those that are only for loading refuse it.
    for (const parameter of parameters) await agent.attempt(() => agent.writeText(parameter, value));
    await lifecycle.unload();
    expect(await traces(agent, name), `what is left with parameters set to ${value}`).toEqual(without);
  }
  await lifecycle.load();
  await agent.close(await agent.open(driver.profile.device, 'rdwr'));
});

test('RES-05 any allocation of the kernel may fail while the driver takes its place in the kernel', async ({
  agent,
  driver,
  lifecycle,
}) => {
  test.skip(!(await canFailAllocations(agent)), 'the kernel has no fault injection (CONFIG_FAILSLAB)');
  const [refused] = driver.profile.system.badParameters ?? [];
  const bad = orSkip(refused, 'nothing tells what the kernel allocates for the module and what the driver');
  await lifecycle.unload();
  const without = await traces(agent, moduleOf(driver.profile).name);
  // The driver refuses these arguments first thing; what was allocated until then is not its affair.
  const { counted, outcome } = await failingNth(agent, NEVER, await lifecycle.loading(agent, [bad]));
  expect(outcome.errno, `finit_module() with ${bad}`).toBe('EINVAL');
  // With several devices, so that some are there when one cannot be made.
  const load = await lifecycle.loading(agent, driver.profile.system.instances?.parameters);
  const ends: Record<string, number> = {};
  for (let nth = counted, last = 1; last > 0; nth++) {
    expect(nth, 'allocations while it is loaded').toBeLessThan(counted + MOST);
    const { outcome: loaded, failed } = await failingNth(agent, nth, load);
    const { errno = 'loaded' } = loaded;
    ends[errno] = (ends[errno] ?? 0) + 1;
    // A device that is not given to the driver for want of memory does not keep the module out.
    if (errno === 'loaded') await lifecycle.tryToUnload(agent);
    const after = await traces(agent, moduleOf(driver.profile).name);
    expect(after, `what is left after allocation ${nth}: ${errno}`).toEqual(without);
    last = failed;
  }
  test.info().annotations.push({ type: 'ends', description: JSON.stringify(ends) });
  // EINVAL is the kernel's own word for a device that got no name (drivers/base/platform.c:platform_device_add).
  const known = ['EINVAL', 'ENOMEM', 'loaded'];
  expect(
    Object.keys(ends).filter((end) => !known.includes(end)),
    'other ends',
  ).toEqual([]);
  expect(ends['ENOMEM'], 'times that loading was refused').toBeGreaterThan(0);
  await lifecycle.load();
  await agent.close(await agent.open(driver.profile.device, 'rdwr'));
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
