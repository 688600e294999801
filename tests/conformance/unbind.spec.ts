// SPDX-License-Identifier: MIT
/**
 * PWR-03 to 05, 08: a device goes while its memory is in use. What is documented happens to mappings,
 * and never does anybody see memory that was given back. Documentation/driver-api/driver-model/driver.rst.
 */
import { moduleOf } from '../../harness/profile/loaded-driver.ts';
import {
  expect,
  forEachStrategy,
  newNonce,
  observed,
  orSkip,
  StallingPage,
  Moment,
  type Met,
  test,
} from '../../fixtures/index.ts';
import type { Expectation } from '../../harness/judge/observation.ts';
import type { MappedBuffer } from '../../harness/profile/buffer.ts';

const MIB = 1024 * 1024;
/** How often the moment between reading the argument and writing the results is looked for. */
const TRIES = 40;
/** Measured in an emulated guest: 10 cycles take 0.7 s, 100 take 7 s. */
const CYCLES = [
  { cycles: 10, tag: [] },
  { cycles: 100, tag: '@slow' },
];

forEachStrategy(() => {
  test('PWR-03 mappings keep to what is documented when their device goes', async ({
    buffers,
    lifecycle,
    binding,
  }) => {
    const mapping = await (await buffers.allocate({ bytes: 2 * MIB })).map();
    const nonce = newNonce();
    await mapping.sign(nonce, 0);

    await lifecycle.unbind(binding);
    await expectAfterUnbinding(mapping, nonce, binding.mappings);

    await lifecycle.bind(binding);
    buffers.reopen();
    // Whoever could get the memory now gets it.
    const other = await (await buffers.allocate({ bytes: 16 * MIB })).map();
    await other.mapping.fill(0xa5);
    await expectAfterUnbinding(mapping, nonce, binding.mappings);
    await mapping.unmap();
    await expect(other).toHoldOnly(0xa5);
  });
});

test('PWR-03 what the system shows of a device goes with it, and knows nothing of it when there is a new one', async ({
  driver,
  agent,
  buffers,
  lifecycle,
  binding,
}) => {
  const { system, device } = driver.profile;
  const { listing, alive } = system;
  const files = [device, ...Object.values(alive), ...(listing === undefined ? [] : [listing.file])];
  const opened = (accepted: string) => (path: string) =>
    observed(`opening ${path}`, [accepted], async () => agent.close(await agent.open(path, 'rdonly')));
  await buffers.allocate({ bytes: buffers.pageBytes });
  const held = listing === undefined ? undefined : await agent.open(listing.file, 'rdonly');

  await lifecycle.unbind(binding);
  await expect(await Promise.all(files.map(opened('ENOENT')))).toEndAsExpected();
  if (held !== undefined) {
    const read = observed('reading the list of its buffers', ['EIO', 'ENODEV'], () => agent.read(held, 64));
    await expect([await read]).toEndAsExpected();
    await agent.close(held);
  }

  await lifecycle.bind(binding);
  await expect(await Promise.all(files.map(opened('success')))).toEndAsExpected();
  if (listing !== undefined) {
    expect(listing.read(await agent.readText(listing.file)), 'buffers of the new device').toEqual([]);
  }
});

test('PWR-04 files that were open when the device went are good for nothing but closing', async ({
  ioctls,
  agent,
  lifecycle,
  binding,
}) => {
  const attempts: Expectation[] = [];
  for (const call of ioctls.calls) {
    await ioctls.with(call, async ({ situation, argument }) => {
      await lifecycle.unbind(binding);
      const asked = await agent.attempt(() => agent.ioctl(situation.fd, call.request, argument()));
      const mapped = await agent.attempt(() => agent.mmap({ length: agent.pageBytes, fd: situation.fd }));
      await lifecycle.bind(binding);
      for (const [what, { errno }] of [
        ['', asked],
        [' and then mmap', mapped],
      ] as const) {
        attempts.push({
          call: `${call.name}${what} without the device`,
          outcome: errno === undefined ? { kind: 'success', value: 0 } : { kind: 'error', errno },
          accepted: binding.gone,
        });
      }
    });
  }
  await expect(attempts).toEndAsExpected();
});

test('PWR-04 a buffer whose name is on its way when the device goes was made before, or not at all', async ({
  ioctls,
  agent,
  lifecycle,
  balanceOf,
  binding,
}) => {
  const maker = orSkip(
    ioctls.calls.find(({ makesBuffer, sizedBy }) => makesBuffer && sizedBy !== undefined),
    'no ioctl of this driver makes a buffer of a size',
  );
  const { errno: absence } = await agent.attempt(() => agent.request('syscall', 'userfaultfd', 0));
  if (absence !== undefined) return test.skip(true, `this kernel has no userfaultfd: ${absence}`);
  // Zeroing takes long enough to take the page away meanwhile.
  const size = { [maker.sizedBy ?? '']: 64 * MIB };
  for (const other of [{}, ...(maker.otherwise ?? [])]) {
    const made = { ...size, ...other };
    const what = `an allocation that the device left behind, ${JSON.stringify(other)}`;
    const balance = await balanceOf(what, () => heldUp(made));
    await expect(balance).toBalance();
  }

  async function heldUp(values: Readonly<Record<string, number>>): Promise<void> {
    const moment = new Moment(await durationOf(values));
    const ends = new Map<Met, string | undefined>();
    for (let tries = 0; tries < TRIES && !ends.has('writing'); tries++) {
      // What a call made that was not held up goes with its process.
      const { page, child } = await StallingPage.make(agent);
      await ioctls.through(child.agent).with(maker, async ({ situation, argument }) => {
        const call = `ioctl-at ${situation.fd} ${maker.request} ${page.address}`;
        const { met, errno, left } = await page.during(call, argument(values), moment, async () => {
          await lifecycle.unbind(binding);
        });
        ends.set(met, errno);
        if (met !== 'writing') return moment.missed(met);
        await lifecycle.bind(binding);
        expect([...binding.gone, undefined], 'how the call ended').toContain(errno);
        const changed = !left.equals(argument(values));
        expect(changed, 'whether it wrote results').toBe(errno === undefined);
      });
      await page.end();
    }
    expect([...ends.keys()], 'what calls were at when they were held up').toContain('writing');
  }

  /** @returns milliseconds that the call takes, and asking for it */
  async function durationOf(values: Readonly<Record<string, number>>): Promise<number> {
    return ioctls.with(maker, async ({ situation, argument }) => {
      const begun = performance.now();
      await agent.ioctl(situation.fd, maker.request, argument(values));
      return performance.now() - begun;
    });
  }
});

test('PWR-04 a device that is gone cannot be opened', async ({ driver, agent, lifecycle, binding }) => {
  const opening = { description: 'open() of the node', run: () => agent.open(driver.profile.device, 'rdwr') };
  await lifecycle.unbind(binding);
  await expect(opening).toFailWith([...binding.gone, 'ENOENT', 'ENXIO']);
  await lifecycle.bind(binding);
  await agent.close(await agent.open(driver.profile.device, 'rdwr'));
});

for (const { cycles, tag } of CYCLES) {
  test(
    `PWR-05 unbinding and binding again works ${cycles} times, with buffers alive`,
    { tag },
    async ({ ioctls, agent, lifecycle, balanceOf, binding }) => {
      const balance = await balanceOf(`${cycles} cycles of unbinding and binding`, async () => {
        for (let cycle = 0; cycle < cycles; cycle++) {
          const call = ioctls.calls[cycle % ioctls.calls.length];
          if (call === undefined) return;
          await ioctls.with(call, async ({ situation }) => {
            const mapping = await agent.attempt(() =>
              agent.mmap({ length: agent.pageBytes, fd: situation.fd }),
            );
            await lifecycle.unbind(binding);
            await lifecycle.bind(binding);
            await mapping.ok?.store(0, 1);
            await mapping.ok?.unmap();
          });
        }
      });
      await expect(balance).toBalance();
    },
  );
}

test('PWR-08 two devices of one driver know nothing of each other', async ({
  driver,
  ioctls,
  agent,
  lifecycle,
}) => {
  const instances = orSkip(driver.profile.system.instances, 'the driver makes one device');
  await lifecycle.unload();
  await lifecycle.load([...moduleOf(driver.profile).parameters, ...instances.parameters]);
  const attempts: Expectation[] = [];
  for (const call of ioctls.calls.filter(({ byId }) => byId !== undefined)) {
    await ioctls.with(call, async ({ situation, argument }) => {
      const other = await agent.open(instances.nodes[1], 'rdwr');
      const named = argument({ [call.byId?.field ?? '']: situation.id ?? 0 });
      const { errno } = await agent.attempt(() => agent.ioctl(other, call.request, named));
      attempts.push({
        call: `${call.name} on the second device with the name of a buffer on the first`,
        outcome: errno === undefined ? { kind: 'success', value: 0 } : { kind: 'error', errno },
        accepted: call.byId?.missing ?? [],
      });
      // The second one comes and goes, and the first does not notice.
      await lifecycle.unbind(instances.bindings[1]);
      const { returned } = await agent.ioctl(situation.fd, call.request, argument());
      attempts.push({
        call: `${call.name} on the first`,
        outcome: { kind: 'success', value: returned },
        accepted: ['success'],
      });
      await lifecycle.bind(instances.bindings[1]);
      await agent.close(other);
    });
  }
  await expect(attempts).toEndAsExpected();
});

async function expectAfterUnbinding(
  mapping: MappedBuffer,
  nonce: bigint,
  promised: 'keep' | 'SIGBUS' | 'zero',
): Promise<void> {
  if (promised === 'keep') return expect(mapping).toShowItsOwnPages(nonce);
  if (promised === 'zero') return expect(mapping).toHoldOnly(0);
  const touching = { description: 'a load from the mapping', run: () => mapping.mapping.load(0) };
  return expect([await observed(touching.description, ['SIGBUS'], touching.run)]).toEndAsExpected();
}
