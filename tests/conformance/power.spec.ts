// SPDX-License-Identifier: MIT
/**
 * PWR-01, PWR-07: the machine sleeps, or goes, while buffers are in use. kernel/power/suspend.c:
 * suspend_test (Documentation/power/basic-pm-debugging.rst), kernel/reboot.c:kernel_power_off.
 */
import { expect, forEachStrategy, orSkip, readConsole, signedBuffer, test } from '../../fixtures/index.ts';
import type { Agent } from '../../fixtures/index.ts';

const MIB = 1024 * 1024;
/** How far the kernel goes before it turns back: all devices are asleep then, and nothing need wake the machine. */
const DEPTH = 'devices';
/** Seconds that it stays there, five unless told otherwise. */
const DELAY = '/sys/module/suspend/parameters/pm_test_delay';
const HOW_FAR = '/sys/power/pm_test';
const SLEPT = '/sys/power/suspend_stats/success';
/** linux/reboot.h: the call's two magic numbers, and LINUX_REBOOT_CMD_POWER_OFF. */
const MAGIC = 0xfee1dead;
const MAGIC_2 = 672_274_793;
const POWER_OFF = 0x4321fedc;

forEachStrategy(() => {
  test('PWR-01 a machine that slept comes back with every buffer where it was', async ({
    agent,
    buffers,
    pageTables,
    spare,
    target,
  }) => {
    test.skip(spare === undefined, 'the machine stays, and need not wake up');
    const { errno } = await agent.attempt(() => agent.readText(HOW_FAR));
    test.skip(errno === 'ENOENT', 'the kernel does not try out sleeping (CONFIG_PM_SLEEP_DEBUG)');
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 4 * MIB });
    const mapped = await buffer.map();
    await mapped.mapping.touch('read');
    const before = await pageTables(mapped.mapping);
    // What comes in over the network just then is lost, or worse.
    await target.settled?.();
    await sleep(agent);
    expect(await pageTables(mapped.mapping), 'where the mapping leads').toEqual(before);
    await expect(mapped, 'after sleeping').toShowItsOwnPages(nonce);
    await mapped.mapping.fill(0x5a);
    const other = await (await buffers.allocate({ bytes: MIB })).map();
    await other.mapping.fill(0xa5);
    await expect(mapped, 'what was written after sleeping').toHoldOnly(0x5a);
  });
});

test('PWR-07 a machine goes in good order while buffers are mapped', async ({ buffers, spare }) => {
  const { ready } = await orSkip(spare, 'the machine stays')();
  const { target, startAgent } = ready;
  orSkip(target.console, `nobody sees the console of ${target.facts.name}`);
  const agent = await startAgent();
  const there = buffers.others({ agent });
  for (const bytes of [buffers.pageBytes, 16 * MIB]) {
    const { mapping } = await (await there.allocate({ bytes })).map();
    await mapping.fill(0x5a);
  }
  // When all is well nobody lives to answer.
  agent.request('syscall', 'reboot', MAGIC, MAGIC_2, POWER_OFF).catch(() => {});
  await expect.poll(() => target.whyDead?.(), { message: 'why the machine is gone' }).toBeDefined();
  const { text, complaints } = await readConsole(target);
  expect(text, 'what is on the console').toContain('reboot: Power down');
  expect(complaints, 'what the kernel complained of').toEqual([]);
});

/** @throws SyscallError as the kernel refused it */
async function sleep(agent: Agent): Promise<void> {
  const slept = async () => Number(await agent.readText(SLEPT));
  const before = await slept();
  await agent.writeText(DELAY, '1');
  await agent.writeText(HOW_FAR, DEPTH);
  await agent.writeText('/sys/power/state', 'freeze');
  await agent.writeText(HOW_FAR, 'none');
  expect(await slept(), 'how often the machine has slept').toBe(before + 1);
}
