// SPDX-License-Identifier: MIT
/**
 * ZER-04, CAC-07, GEO-09, GEO-11: the buffer as a device has it, which goes through no page table and no cache of
 * the CPU's. Documentation/core-api/dma-api.rst; kernel/dma/direct.c: dma_coherent_ok().
 */
import { randomBytes } from 'node:crypto';
import {
  DEVICE_BYTES,
  dirtyMemory,
  expect,
  forEachStrategy,
  freeBytes,
  orSkip,
  test,
  type Agent,
  type Buffers,
} from '../../fixtures/index.ts';
import type { Contents } from '../../harness/judge/observation.ts';
import type { AllocatedBuffer, AllocationRequest, Properties } from '../../harness/profile/profile.ts';
import type { BusReach } from '../../harness/profile/system.ts';
import { moduleOf } from '../../harness/profile/loaded-driver.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** What a device may be able to drive. Measured in an emulated guest: all take 5 s. */
const WIDTHS = [
  { which: 'some', widths: [16, 30, 32, 64], tag: [] },
  { which: 'all', widths: [16, 24, 28, 30, 31, 32, 36, 40, 64], tag: '@slow' },
];

/** Enough to tell what they lose from what the rest of the machine takes. */
const REFUSALS = 24;
const FILLER = 0x11;

/** So that every byte of it shows. */
function unlikeFiller(): Buffer {
  return randomBytes(DEVICE_BYTES).map((byte) => byte | 0x80) as Buffer;
}

/** The driver's own choice, and everything that can be asked for by name. */
function everyKind({ memories, cacheModes }: Properties): Pick<AllocationRequest, 'memory' | 'cache'>[] {
  return [
    {},
    ...Object.keys(memories).map((memory) => ({ memory })),
    ...cacheModes.map((cache) => ({ cache })),
  ];
}

/** Where a buffer begins in memory, by what the driver says of where its device, or the CPU, finds it. */
function toldPlace(
  { deviceAddress, physicalAddress }: AllocatedBuffer,
  bus: BusReach | undefined,
): number | undefined {
  if (bus === undefined || deviceAddress === undefined) return deviceAddress ?? physicalAddress;
  const behind = deviceAddress - bus.onBus;
  expect(
    behind,
    'bytes by which the device’s address lies behind where its bus has memory',
  ).toBeGreaterThanOrEqual(0);
  expect(behind, 'bytes by which it lies behind that').toBeLessThan(bus.end - bus.start);
  return bus.start + behind;
}

forEachStrategy(() => {
  test('ZER-04 a device, too, sees a fresh buffer as zero, before anybody wrote to it', async ({
    agent,
    buffers,
    device,
    pageTables,
    startAgent,
  }) => {
    await dirtyMemory(startAgent);
    const { pageBytes, promises } = buffers;
    const sizes = [1, 3 * pageBytes + 100];
    const kinds = everyKind(promises).flatMap((kind) => sizes.map((bytes) => ({ bytes, ...kind })));
    for (const request of [{ bytes: MIB + pageBytes }, ...kinds]) {
      const { ok: buffer } = await buffers.attempt(request);
      // What this machine does not have is refused, which GEO-03 and CAC-01 look at.
      if (buffer === undefined) continue;
      const mapped = await buffer.map({ protection: 'r' });
      // What comes with the first touch has no place before.
      if (!promises.prefaulted) await mapped.mapping.touch('read');
      const contents: Contents = {
        label: `${mapped.label}, as a device reads it`,
        bytes: buffer.bytes,
        compared: 0,
        expected: 0,
        mismatches: 0,
        pageBytes: agent.pageBytes,
      };
      for (const run of await pageTables(mapped)) {
        const { compared, mismatches, first } = await device.scanByte(0, run.physicalAddress, run.bytes);
        contents.compared += compared;
        contents.mismatches += mismatches;
        if (first !== undefined) {
          contents.first ??= { offset: run.address - mapped.address + first.offset, value: first.value };
        }
      }
      await expect(contents).toBeOfOneByte();
      await mapped.unmap();
      await buffer.release();
    }
  });

  test('CAC-07 data goes from CPU to device and back, at any place and beside other data', async ({
    agent,
    buffers,
    device,
    driver,
    pageTables,
  }) => {
    const bus = await driver.profile.system.busReach?.(agent);
    const { pageBytes, promises } = buffers;
    // What is aligned better than the allocator does it lies somewhere inside of what that gave.
    const { alignmentMost = 1 } = promises;
    const requests = [{}, ...(alignmentMost > 1 ? [{ alignBytes: Math.min(alignmentMost, 16 * MIB) }] : [])];
    for (const request of requests) {
      const buffer = await buffers.allocate({ bytes: 8 * pageBytes, ...request });
      const mapped = await buffer.map();
      const { mapping } = mapped;
      await mapping.touch('write');
      const frames = await pageTables(mapped);
      // Where the driver says that a device finds it; else where it is.
      const { physicalAddress, deviceAddress } = buffer.allocated;
      const told = toldPlace(buffer.allocated, bus);
      // No machine's physical addresses have more bits (Documentation/arch/arm64/memory.rst, x86/x86_64/5level-paging.rst).
      for (const address of [physicalAddress, deviceAddress])
        expect(address ?? 0, 'address that the driver tells').toBeLessThan(2 ** 52);
      const physical = (offset: number): number => {
        if (told !== undefined) return told + offset;
        const address = mapped.address + offset;
        const run = frames.find((one) => one.address <= address && address < one.address + one.bytes);
        return run === undefined ? Number.NaN : run.physicalAddress + address - run.address;
      };
      // The first and the last bytes of a page, and some in the middle of a cache line.
      const places = Array.from({ length: 8 }, (_, page) =>
        [0, 16, 64 + 32, pageBytes / 2, pageBytes - DEVICE_BYTES].map((at) => page * pageBytes + at),
      ).flat();

      const written = places.length * DEVICE_BYTES;
      for (let round = 0; round < 2; round++) {
        // The lines are the CPU's own just before the device writes to them.
        await mapping.fill(FILLER);
        const fromDevice = unlikeFiller();
        await device.put(fromDevice, places.map(physical));
        for (const place of places) {
          const seen = (await mapping.peek(place, DEVICE_BYTES)).toString('hex');
          expect(seen, `what the device wrote at byte ${place}`).toBe(fromDevice.toString('hex'));
        }
        expect((await mapping.scanByte(FILLER)).mismatches, 'bytes that changed').toBe(written);

        await device.put(Buffer.alloc(DEVICE_BYTES, FILLER), places.map(physical));
        const fromCpu = places.map(unlikeFiller);
        await Promise.all(
          places.map((place, index) => mapping.poke(place, fromCpu[index] ?? Buffer.alloc(0))),
        );
        const taken = (await device.take(places.map(physical))).map((each) => each.toString('hex'));
        expect(taken, 'what the device reads of what the CPU wrote').toEqual(
          fromCpu.map((each) => each.toString('hex')),
        );
      }
      await mapped.unmap();
      await buffer.release();
    }
  });
});

test('GEO-09 memory of every kind lies where the driver says that a device finds it', async ({
  agent,
  buffers,
  device,
  driver,
}) => {
  const { pageBytes, promises } = buffers;
  test.skip(!promises.tellsAddresses, 'the driver tells no addresses');
  const bus = await driver.profile.system.busReach?.(agent);
  const places = [0, pageBytes, 3 * pageBytes - DEVICE_BYTES];
  for (const kind of everyKind(promises)) {
    const { ok: buffer } = await buffers.attempt({ bytes: 3 * pageBytes, ...kind });
    // What this machine does not have is refused, which GEO-03 and CAC-01 look at.
    if (buffer === undefined) continue;
    const start = orSkip(toldPlace(buffer.allocated, bus), 'the driver does not say where this buffer lies');
    const { mapping } = await buffer.map();
    const written = places.map(() => randomBytes(DEVICE_BYTES));
    for (const [index, bytes] of written.entries()) await mapping.poke(places[index] ?? 0, bytes);
    const taken = await device.take(places.map((place) => start + place));
    const { memory = 'memory', cache = 'any mode' } = kind;
    expect(
      taken.map((bytes) => bytes.toString('hex')),
      `what the device reads of ${memory} in ${cache}`,
    ).toEqual(written.map((bytes) => bytes.toString('hex')));
    await mapping.unmap();
    await buffer.release();
  }
});

for (const { which, widths, tag } of WIDTHS) {
  test(
    `GEO-11 memory lies where the device’s address bits reach, or is refused without a word, ${which} widths`,
    { tag },
    async ({ agent, buffers, driver, kernelSays, lifecycle }) => {
      const width = orSkip(
        driver.profile.system.addressBits,
        'the driver is not told what its device can drive',
      );
      const { parameters } = moduleOf(driver.profile);
      const { alignmentMost: alignBytes = 0 } = buffers.promises;
      const alignment = alignBytes > 0 ? { alignBytes } : {};
      let served = 0;
      for (const bits of widths.filter((each) => each >= width.least && each <= width.most)) {
        await lifecycle.unload();
        await lifecycle.load([...parameters, width.parameter(bits)]);
        buffers.reopen();
        const held = [];
        for (const bytes of [buffers.pageBytes, MIB, 16 * MIB]) {
          const { ok: buffer, errno } = await buffers.attempt({ bytes });
          if (buffer === undefined) {
            expect(['ENOMEM', 'EIO'], `how ${bytes} bytes within ${bits} bits are refused`).toContain(errno);
            continue;
          }
          held.push(await buffer.map());
        }
        if (held.length === 0) {
          await expectRefusalsToLoseNothing(buffers, agent);
          const total = driver.profile.system.quota?.total;
          if (total !== undefined) {
            // Room for one, and for what it would take beside itself.
            const limit = MIB + alignBytes;
            await lifecycle.set(total, limit);
            await expectRefusalsToCostNothing(buffers, { bytes: MIB, ...alignment }, limit);
          }
        }
        served += held.length;
        // One search for all of them.
        await buffers.whereabouts.of(held);
        for (const mapped of held) {
          await expect(mapped).toLieInReachOf({ what: `${bits} address bits`, start: 0, end: 2 ** bits });
          await mapped.unmap();
          await mapped.buffer.release();
        }
      }
      expect(served, 'buffers that were to be had').toBeGreaterThan(0);
      expect((await kernelSays()).filter((line) => /WARN|allocation failure/.test(line))).toEqual([]);
    },
  );
}

test('GEO-11 memory of every kind lies where the device’s bus reaches, or is refused', async ({
  agent,
  buffers,
  driver,
}) => {
  const reach = orSkip(await driver.profile.system.busReach?.(agent), 'the device’s bus reaches all memory');
  const absent = ['EOPNOTSUPP', ...buffers.promises.absentMemory];
  let served = 0;
  for (const kind of everyKind(buffers.promises)) {
    for (const bytes of [buffers.pageBytes, 16 * buffers.pageBytes, MIB]) {
      const { ok: buffer, errno = '' } = await buffers.attempt({ bytes, ...kind });
      if (buffer === undefined) {
        // Not there at all: what is there can be had within reach.
        const { memory, cache } = { memory: 'any memory', cache: 'in any mode', ...kind };
        expect(absent, `how ${bytes} bytes of ${memory} ${cache} are refused`).toContain(errno);
        continue;
      }
      served += 1;
      await expect(await buffer.map()).toLieInReachOf(reach);
    }
  }
  expect(served, 'buffers that were to be had').toBeGreaterThan(0);
});

/** What was found and lies out of reach is given back. */
async function expectRefusalsToLoseNothing(buffers: Buffers, agent: Agent): Promise<void> {
  const before = await freeBytes(agent);
  for (let time = 0; time < REFUSALS; time++) await buffers.attempt({ bytes: MIB });
  const lost = before - (await freeBytes(agent));
  expect(lost, `bytes that ${REFUSALS} refused requests of 1 MiB lost`).toBeLessThan((REFUSALS * MIB) / 2);
}

/**
 * Nor is it charged, nor what is tried beside it for its alignment: what is left afterwards is all of the limit.
 * @param limit in bytes, for all buffers
 */
async function expectRefusalsToCostNothing(
  buffers: Buffers,
  request: AllocationRequest,
  limit: number,
): Promise<void> {
  const requests = [...Array.from({ length: REFUSALS }, () => request), { bytes: limit }];
  for (const [before, each] of requests.entries()) {
    const { errno } = await buffers.attempt(each);
    expect(['ENOMEM', 'EIO'], `how ${each.bytes} bytes are refused, after ${before} refusals`).toContain(
      errno,
    );
  }
}
