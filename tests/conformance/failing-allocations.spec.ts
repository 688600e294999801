// SPDX-License-Identifier: MIT
/**
 * RES-05, IOC-08: any allocation inside the driver may fail. The kernel lets the first one of every system
 * call fail, then the second one, until none is left: each call is refused or succeeds in full, and
 * nothing is lost. Documentation/fault-injection/fault-injection.rst, fail-nth.
 */
import {
  canFailAllocations,
  DryCache,
  expect,
  failingNth,
  forEachStrategy,
  test,
} from '../../fixtures/index.ts';
import type { Expectation } from '../../harness/judge/observation.ts';
import { fieldsOf, type IoctlCall } from '../../harness/profile/ioctls.ts';

const PAGES = 5;
/** More allocations than one call may make; reaching it means that they never ended. */
const MOST = 500;

/** What tables of names, descriptors, dma-bufs and a driver's own objects are made of. */
const CACHES = ['radix_tree_node', 'filp', 'dentry', 'inode_cache', 'kmalloc-128', 'kmalloc-cg-256'];

forEachStrategy(() => {
  test('RES-05 any allocation of the kernel may fail while a buffer is made, mapped and freed', async ({
    agent,
    buffers,
    balanceOf,
    kernelSays,
  }) => {
    test.skip(!(await canFailAllocations(agent)), 'the kernel has no fault injection (CONFIG_FAILSLAB)');
    const failures: number[] = [];
    const refusals = new Set<string>();
    // Far from all else, so that page tables are made, too.
    const address = agent.hello.pointerBytes < 8 ? undefined : 2 ** 38;
    const life = (own: typeof buffers) => async () => {
      const buffer = await own.allocate({ bytes: PAGES * buffers.pageBytes });
      const mapped = await buffer.map({ address });
      await mapped.mapping.touch('write');
      await mapped.pages(1, 1).unmap();
      await mapped.unmap();
      await buffer.release();
    };
    // What is made once and kept is made here.
    await life(buffers)();
    const balance = await balanceOf('lives with a failing allocation', async () => {
      for (let nth = 1, last = 1; last > 0; nth++) {
        expect(nth, 'allocations in one call').toBeLessThan(MOST);
        // What a refused step leaves behind goes with its process.
        const child = await agent.fork();
        const own = buffers.others({ agent: child.agent });
        const { outcome, failed } = await failingNth(child.agent, nth, life(own));
        if (outcome.errno !== undefined) refusals.add(outcome.errno);
        expect(outcome.fault, `allocation ${nth} of each call failing`).toBeUndefined();
        await child.exit();
        failures.push(failed);
        last = failed;
      }
    });
    expect(failures.length, 'rounds in which something failed').toBeGreaterThan(1);
    expect([...refusals], 'how calls were refused').toEqual(['ENOMEM']);
    await expect(balance).toBalance();
    // Who looks for lost memory allocates as well, says when that fails, and goes on.
    const said = (await kernelSays()).filter((line) => !line.startsWith('kmemleak: Cannot allocate '));
    expect(said, 'what the kernel logged').toEqual([]);
  });
});

test('RES-05 any allocation of the kernel may fail while a device is given to the driver', async ({
  agent,
  driver,
  lifecycle,
  binding,
}) => {
  test.skip(!(await canFailAllocations(agent)), 'the kernel has no fault injection (CONFIG_FAILSLAB)');
  const open = () => agent.attempt(() => agent.open(driver.profile.device, 'rdwr'));
  const bind = await agent.open(`${binding.driver}/bind`, 'wronly');
  const name = await lifecycle.unbind(binding);
  const refusals: Record<string, number> = {};
  for (let nth = 1, last = 1; last > 0; nth++) {
    expect(nth, 'allocations while it is bound').toBeLessThan(MOST);
    const work = () => agent.write(bind, Buffer.from(name));
    const { outcome, failed } = await failingNth(agent, nth, work);
    const { errno = 'none' } = outcome;
    if (errno !== 'none') refusals[errno] = (refusals[errno] ?? 0) + 1;
    const { ok: file } = await open();
    expect(file === undefined, `allocation ${nth}: ${errno}, and the node is of use`).toBe(errno !== 'none');
    if (file !== undefined) await agent.close(file);
    if (errno === 'none') await lifecycle.unbind(binding);
    last = failed;
  }
  expect(Object.keys(refusals), 'how it was refused').toEqual(['ENOMEM']);
  await lifecycle.bind(binding);
  expect((await open()).ok, 'a descriptor afterwards').toBeGreaterThan(0);
});

test('IOC-08 an ioctl in which any allocation fails is refused as documented, and leaves nothing', async ({
  agent,
  ioctls,
  balanceOf,
}) => {
  test.skip(!(await canFailAllocations(agent)), 'the kernel has no fault injection (CONFIG_FAILSLAB)');
  const calls: Expectation[] = [];
  /** @returns whether an allocation failed */
  const tried = async (call: IoctlCall, nth: number) =>
    ioctls.with(call, async ({ situation, argument }) => {
      const work = () => agent.ioctl(situation.fd, call.request, argument());
      const { outcome, failed } = await failingNth(agent, nth, work);
      const { ok, errno = '' } = outcome;
      calls.push({
        call: `${call.name} with allocation ${nth} failing`,
        accepted: failed > 0 ? ['success', ...call.errors] : ['success'],
        outcome: ok === undefined ? { kind: 'error', errno } : { kind: 'success', value: 0 },
      });
      const told = ok === undefined ? {} : call.layout.decode(ok.data);
      for (const { name } of fieldsOf(call, 'out-descriptor'))
        if (told[name] !== undefined) await agent.close(Number(told[name]));
      return failed > 0;
    });
  let failures = 0;
  for (const call of ioctls.calls) {
    // The first time a process does something the kernel may make room for that, too.
    await tried(call, 0);
    const balance = await balanceOf(call.name, async () => {
      let nth = 1;
      for (; await tried(call, nth); nth++) expect(nth, `allocations in ${call.name}`).toBeLessThan(MOST);
      failures += nth - 1;
    });
    await expect(balance).toBalance();
  }
  expect(failures, 'calls in which an allocation failed').toBeGreaterThan(0);
  await expect(calls).toEndAsExpected();
});

test('IOC-08 an ioctl for which one kind of kernel memory has run out is refused as documented', async ({
  agent,
  ioctls,
  balanceOf,
}) => {
  test.skip(!(await canFailAllocations(agent)), 'the kernel has no fault injection (CONFIG_FAILSLAB)');
  const calls: Expectation[] = [];
  for (const kind of CACHES) {
    const dry = await DryCache.prepare(agent, kind);
    if (dry === undefined) continue;
    const without = async () => {
      for (const call of ioctls.calls)
        await ioctls.with(call, async ({ situation, argument }) => {
          const { ok, errno = '' } = await dry.during(() =>
            agent.ioctl(situation.fd, call.request, argument()),
          );
          calls.push({
            call: `${call.name} without ${kind}`,
            accepted: ['success', ...call.errors],
            outcome: ok === undefined ? { kind: 'error', errno } : { kind: 'success', value: 0 },
          });
          const told = ok === undefined ? {} : call.layout.decode(ok.data);
          for (const { name } of fieldsOf(call, 'out-descriptor'))
            if (told[name] !== undefined) await agent.close(Number(told[name]));
        });
    };
    try {
      await expect(await balanceOf(`calls without ${kind}`, without)).toBalance();
    } finally {
      await dry.end();
    }
  }
  const refused = calls.filter(({ outcome }) => outcome?.kind === 'error');
  expect(refused.length, 'calls that were refused').toBeGreaterThan(0);
  await expect(calls).toEndAsExpected();
});
