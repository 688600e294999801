// SPDX-License-Identifier: MIT
/**
 * CAC-05, ZER-04, LIF-10: memory that the CPU has in its caches is handed over to the devices that have the buffer, and
 * back, as the kernel's DMA API tells (include/trace/events/dma.h). Documentation/core-api/dma-api.rst, part Id;
 * drivers/dma-buf/dma-buf.c, "CPU Access to DMA Buffer Objects".
 */
import { expect, orSkip, test, type Agent, type Buffers, type DmaEvents } from '../../fixtures/index.ts';
import { dmaBufRequests, dmaBufSync, dmaBufSyncFlags } from '../../harness/profile/dma-buf.ts';
import { drmRequests, primeHandle } from '../../harness/profile/drm.ts';
import { argumentOf, fieldsOf, type IoctlAbi, type Situation } from '../../harness/profile/ioctls.ts';

const PAGES = 4;
const { READ, WRITE, END } = dmaBufSyncFlags;

type Direction = 'both' | 'to-device' | 'from-device';

/** What the CPU reads has come from a device, and what it writes goes to one. */
const ways: { read: boolean; write: boolean; direction: Direction }[] = [
  { read: true, write: false, direction: 'from-device' },
  { read: false, write: true, direction: 'to-device' },
  { read: true, write: true, direction: 'both' },
];

const TELLS_NOTHING = 'the kernel tells nothing of its DMA API (trace events, Linux 6.12)';
const SNOOPS = 'the device sees what the CPU has in its caches';
const wholly = { to: 'device', direction: 'both' } as const;

test.use({ strategy: 'dma-buf' });
test.describe('dma-buf', { tag: '@dma-buf' }, () => {
  test('CAC-05 bracketing the CPU hands all of a buffer over, to the device of every importer', async ({
    agent,
    buffers,
    viewer,
    dmaEvents,
  }) => {
    const { events, buffer } = await watched(agent, buffers, viewer, dmaEvents);
    const { fd } = buffer.allocated;
    const files = [await agent.open(viewer, 'rdwr'), await agent.open(viewer, 'rdwr')];
    const [first, second] = files;
    // As the devices have it: what is handed over later is held against that.
    const [given] = await events.during(() => importing(agent, first ?? -1, fd));
    await importing(agent, second ?? -1, fd);
    const addresses = given?.ranges.map(({ address }) => address) ?? [];
    const whole = {
      bytes: buffer.bytes,
      ...(addresses.length === 0 ? {} : { address: Math.min(...addresses) }),
    };
    for (let devices = files.length; devices >= 0; devices--) {
      for (const { read, write, direction } of ways) {
        for (const to of ['cpu', 'device'] as const) {
          const flags = (read ? READ : 0) | (write ? WRITE : 0) | (to === 'device' ? END : 0);
          const seen = await events.during(() =>
            agent.ioctl(fd, dmaBufRequests.SYNC, dmaBufSync.encode({ flags })),
          );
          await expect({
            call: `DMA_BUF_IOCTL_SYNC with flags ${flags}, ${devices} importers`,
            buffer: whole,
            wanted: { to, direction, devices, offset: 0, bytes: buffer.bytes },
            seen,
          }).toBeHandedOver();
        }
      }
      const file = files.pop();
      if (file === undefined) continue;
      // The importer looks once more, when its device has let go and it is still there.
      const seen = await events.during(() => agent.close(file));
      for (const to of ['cpu', 'device'] as const) {
        await expect({
          call: `an access by the CPU without this device, ${files.length} other importers`,
          buffer: whole,
          wanted: { to, direction: 'both' as const, devices: files.length, offset: 0, bytes: buffer.bytes },
          seen,
        }).toBeHandedOver();
      }
    }
  });

  test('CAC-05 an importer’s device is given all of a buffer, in the direction that the importer asks for', async ({
    agent,
    buffers,
    viewer,
    dmaEvents,
  }) => {
    const { events, buffer } = await watched(agent, buffers, viewer, dmaEvents);
    const file = await agent.open(viewer, 'rdwr');
    const seen = await events.during(() => importing(agent, file, buffer.allocated.fd));
    await expect({
      call: 'importing, for both directions',
      buffer: { bytes: buffer.bytes },
      wanted: { ...wholly, devices: 1, offset: 0, bytes: buffer.bytes },
      // Afterwards the importer itself hands it to and fro.
      seen: seen.slice(0, 1),
    }).toBeHandedOver();
  });

  test('CAC-05 an ioctl hands over the range that it is given, in its direction', async ({
    agent,
    buffers,
    driver,
    ioctls,
    viewer,
    dmaEvents,
  }) => {
    test.skip((await driver.profile.system.snoops?.(agent)) === true, SNOOPS);
    const handing = ioctls.calls.filter(({ synchronises }) => synchronises !== undefined);
    test.skip(handing.length === 0, 'no ioctl of this driver hands memory over');
    const { events } = await watched(agent, buffers, viewer, dmaEvents);
    await ioctls.forEach(async ({ call, situation, argument }) => {
      const { synchronises, name } = call;
      const [flagsField] = fieldsOf(call, 'flags');
      const [range] = fieldsOf(call, 'range');
      const all = situation.bufferBytes ?? 0;
      const address = await deviceAddress(agent, ioctls.abi, situation);
      const { pageBytes } = agent;
      for (const [offset, bytes] of [
        [0, all],
        [0, pageBytes],
        [pageBytes, 2 * pageBytes],
        [64, 128],
        [all - 64, 64],
      ] as const) {
        for (const { read, write, direction } of ways) {
          for (const to of ['cpu', 'device'] as const) {
            const { read: r, write: w, end } = synchronises ?? { read: 0, write: 0, end: 0 };
            const flags = (read ? r : 0) | (write ? w : 0) | (to === 'device' ? end : 0);
            const replaced = {
              [flagsField?.name ?? 'flags']: flags,
              ...(range === undefined ? {} : { [range.name]: offset }),
              ...(range?.role.length === undefined ? {} : { [range.role.length]: bytes }),
            };
            const seen = await events.during(() =>
              agent.ioctl(situation.fd, call.request, argument(replaced)),
            );
            await expect({
              call: `${name} with flags ${flags} of ${bytes} bytes at ${offset}`,
              buffer: { ...(address === undefined ? {} : { address }), bytes: all },
              wanted: { to, direction, devices: 1, offset, bytes },
              seen,
            }).toBeHandedOver();
          }
        }
      }
    }, handing);
  });

  test('ZER-04 what was cleared by the CPU is handed over to the device before anybody has it', async ({
    agent,
    buffers,
    driver,
    viewer,
    dmaEvents,
  }) => {
    test.skip((await driver.profile.system.snoops?.(agent)) === true, SNOOPS);
    const { events } = await watched(agent, buffers, viewer, dmaEvents);
    const bytes = PAGES * buffers.pageBytes;
    let looked = 0;
    for (const memory of [undefined, ...Object.keys(buffers.promises.memories)]) {
      const request = { bytes, cache: 'cached' as const, ...(memory === undefined ? {} : { memory }) };
      let given = 0;
      const seen = await events.during(async () => {
        const { ok: buffer } = await buffers.attempt(request);
        given = buffer?.bytes ?? 0;
        await buffer?.release();
      });
      // Memory that this machine does not have, which GEO-03 looks at, or not with this cache mode, which CAC-01 does.
      if (given === 0) continue;
      looked += 1;
      const whole = seen.filter(
        ({ to, ranges }) => to === 'device' && ranges.some((range) => range.bytes >= bytes),
      );
      expect(
        whole.length,
        `how often ${bytes} bytes of ${memory ?? 'memory'} went to the device`,
      ).toBeGreaterThan(0);
    }
    expect(looked, 'kinds of memory that were looked at').toBeGreaterThan(0);
  });

  test('LIF-10 what a buffer and its importers take of the DMA API is given back with them, as it was taken', async ({
    agent,
    buffers,
    viewer,
    dmaEvents,
  }) => {
    const events = orSkip(dmaEvents, TELLS_NOTHING);
    const bytes = PAGES * buffers.pageBytes;
    let taken = 0;
    for (const memory of [undefined, ...Object.keys(buffers.promises.memories)]) {
      for (const cache of [undefined, ...buffers.promises.cacheModes]) {
        const request = { bytes, ...(memory && { memory }), ...(cache && { cache }) };
        const { ok: probe } = await buffers.attempt(request);
        await probe?.release();
        // What this machine does not have, GEO-03 and CAC-01 look at.
        if (probe === undefined) continue;
        const balance = await events.balanceOf(async () => {
          const buffer = await buffers.allocate(request);
          const file = await agent.open(viewer, 'rdwr');
          await importing(agent, file, buffer.allocated.fd);
          await agent.close(file);
          await buffer.release();
        });
        const what = `taken and given back for memory ${memory ?? 'of any kind'}, ${cache ?? 'in any mode'}`;
        expect(balance, what).toEqual(
          Object.fromEntries(
            Object.entries(balance).map(([kind, { taken: times }]) => [kind, { taken: times, given: times }]),
          ),
        );
        taken += Object.values(balance).reduce((sum, { taken: times }) => sum + times, 0);
      }
    }
    expect(taken, 'things that were taken of the DMA API').toBeGreaterThan(0);
  });
});

/** Cached memory, and the events of a kernel that has something to do when such memory is handed over. */
async function watched(agent: Agent, buffers: Buffers, viewer: string, told: DmaEvents | undefined) {
  const events = orSkip(told, TELLS_NOTHING);
  test.skip(!buffers.promises.cacheModes.includes('cached'), 'memory cannot be asked to be cached');
  const buffer = await buffers.allocate({ bytes: PAGES * buffers.pageBytes, cache: 'cached' });
  const file = await agent.open(viewer, 'rdwr');
  const own = await events.during(() => importing(agent, file, buffer.allocated.fd));
  await agent.close(file);
  test.skip(!own.some(({ to }) => to === 'cpu'), 'devices here see what the CPU has in its caches');
  return { events, buffer };
}

async function importing(agent: Agent, file: number, fd: number): Promise<void> {
  await agent.ioctl(file, drmRequests.PRIME_FD_TO_HANDLE, primeHandle.encode({ fd }));
}

/** Where the device sees the buffer of a situation, if the driver tells. */
async function deviceAddress(
  agent: Agent,
  abi: IoctlAbi,
  { fd, id = 0 }: Situation,
): Promise<number | undefined> {
  const tells = abi.calls.find(({ tellsPlace }) => tellsPlace !== undefined);
  if (tells?.tellsPlace === undefined || tells.byId === undefined) return undefined;
  const asked = argumentOf(abi, tells, { fd, values: { [tells.byId.field]: id }, end: async () => {} });
  const { data } = await agent.ioctl(fd, tells.request, asked);
  return Number(tells.layout.decode(data)[tells.tellsPlace.device]);
}
