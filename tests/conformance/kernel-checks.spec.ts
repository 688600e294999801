// SPDX-License-Identifier: MIT
/**
 * CON-06, CON-07, LIF-10: what only a kernel sees that looks for it. It complains in its log, which fails
 * any test; here calls of all kinds are made, and the kernel has to be still looking afterwards: lockdep
 * ends with the first complaint, whoever it is about.
 */
import { expect, fuzzCalls, lifetimeOf, repeat, skipWithoutLimit, test } from '../../fixtures/index.ts';
import type { Agent } from '../../fixtures/index.ts';

const CALLS = 3000;
const LIVES = 20;
const LOCKDEP = '/proc/lockdep_stats';

for (const { claim, option } of [
  { claim: 'CON-06 locks are taken in one order, whatever is called', option: 'CONFIG_PROVE_LOCKING' },
  {
    claim: 'CON-07 nothing sleeps where it must not, whatever is called',
    option: 'CONFIG_DEBUG_ATOMIC_SLEEP',
  },
]) {
  test(claim, async ({ agent, driver, ready, spare, ioctls, seed }, testInfo) => {
    skipWithoutLimit(driver.profile);
    test.skip(!(await isBuiltWith(ready.target, option)), `the kernel does not look for it (${option})`);
    test.setTimeout(8 * test.info().timeout);
    expect(await locksAreWatched(agent), 'lockdep before').toBe(true);
    const begin = seed ?? Date.now() % 2 ** 31;
    testInfo.annotations.push({ type: 'seed', description: String(begin) });
    const { calls } = await fuzzCalls(ready, ioctls.abi, { seed: begin, calls: CALLS, processes: 2 }, spare);
    expect(calls).toBe(CALLS);
    expect(await locksAreWatched(agent), 'lockdep afterwards').toBe(true);
  });
}

test('LIF-10 when the driver is gone nothing is left that nobody points to', async ({
  agent,
  driver,
  strategy,
  lifecycle,
}) => {
  test.skip(
    !(await lifecycle.looksForLostMemory()),
    'the kernel does not look for it (CONFIG_DEBUG_KMEMLEAK)',
  );
  const steps = await lifetimeOf(agent, driver.profile, strategy);
  expect(await repeat(agent, LIVES, steps)).toEqual(steps.map(() => ({ ok: LIVES, failed: {} })));
  await agent.end();
  await lifecycle.unload();
  expect((await lifecycle.lostMemory()).join('\n')).toBe('');
});

async function locksAreWatched(agent: Agent): Promise<boolean> {
  return /^\s*debug_locks:\s+1$/m.test(await agent.readText(LOCKDEP));
}

/** Kernels that do not say what they are made of do not look for anything either. */
async function isBuiltWith(
  target: { exec: (argv: string[]) => Promise<{ stdout: string }> },
  option: string,
): Promise<boolean> {
  const { stdout } = await target.exec(['zcat', '/proc/config.gz']);
  return stdout.includes(`\n${option}=y\n`);
}
