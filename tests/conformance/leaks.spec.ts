// SPDX-License-Identifier: MIT
/**
 * LIF-06, LIF-07: whatever is done over and over, in full or broken off, the free memory stays level. A
 * leak is a slope over many rounds, never one difference.
 */
import {
  beginRepeating,
  expect,
  expectNoLostObjects,
  forEachStrategy,
  freeBytes,
  ioctlStep,
  leftBy,
  lifetimeOf,
  orSkip,
  repeat,
  test,
  type Agent,
  type Buffers,
} from '../../fixtures/index.ts';
import { slopeOf } from '../../harness/judge/judges.ts';
import type { Course } from '../../harness/judge/observation.ts';
import { drmRequests, primeHandle } from '../../harness/profile/drm.ts';
import type { MistakeReady } from '../../harness/profile/ioctls.ts';
import type { AllocationRequest } from '../../harness/profile/profile.ts';

const SAMPLES = 10;
/** What importers make for each is small, and memory goes by pages. */
const IMPORTS = 800;
const TIMES = 6;
const LIVES = 100;
/** Times between samples that a device comes and goes; measured in an emulated guest: 70 ms each. */
const COMINGS = 5;
/** Clearing it takes most of the time that making and freeing it does. */
const KILLED_BYTES = 1024 * 1024;
/** An alignment that small memory does not have by chance, not even when what lies before it is lost. */
const STRICT = 8 * 1024 * 1024;
/** Times that nobody sees the end of. */
const ENDLESS = 1_000_000;
/** Does `round` many times and looks at the free memory in between. */
async function courseOf(agent: Agent, rounds: number, round: () => Promise<unknown>): Promise<Course> {
  const course: Course = { label: 'free memory', unit: 'bytes', samples: [] };
  // What is allocated once and kept, is allocated here.
  for (let i = 0; i < 6; i++) await round();
  for (let sample = 0; sample < SAMPLES; sample++) {
    course.samples.push({ rounds: sample * rounds, value: await freeBytes(agent) });
    for (let i = 0; i < rounds; i++) await round();
  }
  return course;
}

/**
 * Memory that comes back is no loss: who clears ranges of it for buffers has the kernel let go of what it kept there.
 * @param idle the same without the driver: what is lost there, too, is not the driver's
 */
async function expectNoLoss(
  course: () => Promise<Course>,
  allowed: number,
  idle?: () => Promise<Course>,
): Promise<void> {
  let taken = await course();
  for (let time = 1; time < TIMES && slopeOf(taken) < -allowed; time++) taken = await course();
  // What is no course, a single sample for example, is no evidence either, and has no slope.
  if (slopeOf(taken) > 0) return;
  const lost = slopeOf(taken) < -allowed && idle !== undefined ? Math.min(0, slopeOf(await idle())) : 0;
  await expect(taken).toStayLevel(allowed, lost);
}

/** Whether these buffers can be alive at once. */
async function canBeHad(buffers: Buffers, requests: readonly AllocationRequest[]): Promise<boolean> {
  const attempts = [];
  for (const request of requests) attempts.push(await buffers.attempt(request));
  for (const { ok } of attempts) await ok?.release();
  return attempts.every(({ ok }) => ok !== undefined);
}

/** Everything one does with a buffer, broken off after so many steps. */
async function useBuffer(buffers: Buffers, bytes: number, steps: number): Promise<void> {
  const own = buffers.others();
  const buffer = await own.allocate({ bytes });
  const mapped = steps > 0 ? await buffer.map() : undefined;
  if (steps > 1) await mapped?.mapping.touch('write');
  if (steps > 2) await mapped?.pages(1, 1).unmap();
  if (steps > 3) await buffer.free();
  // What is left is the business of whoever closes, and unmaps or dies.
  await buffer.close();
  await mapped?.unmap();
}

forEachStrategy(() => {
  test('LIF-07 allocating, mapping and freeing loses no memory', async ({ buffers, agent }) => {
    const { pageBytes } = buffers;
    const round = async () => {
      // Four at a time travel together.
      const some = await Promise.all(
        Array.from({ length: 4 }, () => buffers.allocate({ bytes: 3 * pageBytes })),
      );
      const mapped = await Promise.all(some.map((buffer) => buffer.map()));
      await Promise.all(mapped.map(({ mapping }) => mapping.touch('write')));
      await Promise.all(mapped.map((each) => each.unmap()));
      await Promise.all(some.map((buffer) => buffer.release()));
    };
    await expectNoLoss(() => courseOf(agent, 4, round), 2 * pageBytes);
  });

  test('LIF-07 nor do many hundred lives leave anything among the kernel’s small objects', async ({
    agent,
    driver,
    strategy,
  }) => {
    const steps = await lifetimeOf(agent, driver.profile, strategy);
    const live = async () => {
      const lived = await repeat(agent, LIVES, steps);
      expect(lived).toEqual(steps.map(() => ({ ok: LIVES, failed: {} })));
    };
    await expectNoLostObjects(agent, LIVES, live);
  });

  test('LIF-07 nor does leaving out steps before the descriptor is closed', async ({ buffers, agent }) => {
    const { pageBytes } = buffers;
    const round = () => Promise.all([0, 1, 2, 3, 4].map((steps) => useBuffer(buffers, 3 * pageBytes, steps)));
    await expectNoLoss(() => courseOf(agent, 3, round), 2 * pageBytes);
  });

  test('LIF-06 a process that is killed at any point leaves nothing', async ({ buffers, agent }) => {
    const bytes = 64 * buffers.pageBytes;
    let round = 0;
    const kill = async () => {
      round += 1;
      const child = await agent.fork();
      const theirs = buffers.others({ agent: child.agent });
      const buffer = await theirs.allocate({ bytes });
      if (round % 4 > 0) {
        const { mapping } = await buffer.map();
        if (round % 4 > 1) await mapping.page(3).unmap();
        // Killed in the middle of writing.
        if (round % 4 > 2) await child.begin(`fill ${mapping.address} ${3 * buffers.pageBytes} 90`);
      }
      await child.kill();
    };
    const idle = async () => (await agent.fork()).kill();
    await expectNoLoss(
      () => courseOf(agent, 3, kill),
      // A quarter of what is lost when one of the four points loses a buffer.
      bytes / 16,
      () => courseOf(agent, 3, idle),
    );
  });
});

test('LIF-06 nor does one that is killed while the driver makes or frees a buffer for it', async ({
  agent,
  driver,
  ioctls,
}) => {
  const churn = orSkip(
    ioctls.abi.churn,
    'nobody described how this driver makes and frees a buffer by ioctls alone',
  );
  let kills = 0;
  const kill = async () => {
    kills += 1;
    const child = await agent.fork();
    const fd = await child.agent.open(driver.profile.device, 'rdwr');
    await beginRepeating(child, ENDLESS, churn(fd, KILLED_BYTES));
    await Promise.all([agent.request('sleep-ms', kills % 4), child.kill()]);
  };
  const idle = async () => (await agent.fork()).kill();
  await expectNoLoss(
    () => courseOf(agent, 3, kill),
    // Some are killed on the way to the next call.
    KILLED_BYTES / 8,
    () => courseOf(agent, 3, idle),
  );
});

test('LIF-07 nor does it matter where the memory comes from', async ({ buffers, agent }) => {
  const { pageBytes, promises } = buffers;
  // Of a size that no allocator has by itself, so that what it gives beyond has to go, too; and of no whole pages.
  const bytes = 5 * pageBytes - 1;
  const memories = [];
  for (const memory of Object.keys(promises.memories)) {
    const { ok: buffer } = await buffers.attempt({ bytes, memory });
    // What this machine does not have is refused, which GEO-03 looks at.
    if (buffer !== undefined) memories.push(memory);
    await buffer?.release();
  }
  test.skip(memories.length === 0, 'no memory can be asked for by name');
  const alignBytes = Math.min(promises.alignmentMost ?? 0, STRICT);
  for (const memory of memories) {
    const plain = { bytes, memory };
    const strict = { bytes: 2 * pageBytes - 1, memory, alignBytes };
    const granted = alignBytes > pageBytes && (await canBeHad(buffers, [plain, strict, plain, strict]));
    for (const second of granted ? [plain, strict] : [plain]) {
      const round = async () => {
        const some = await Promise.all([plain, second, plain, second].map((each) => buffers.allocate(each)));
        await Promise.all(some.map((buffer) => buffer.release()));
      };
      await expectNoLoss(() => courseOf(agent, 3, round), 2 * pageBytes);
    }
  }
});

test('LIF-07 nor do calls that are refused leave anything among the kernel’s small objects', async ({
  agent,
  ioctls,
}) => {
  const mistakes = orSkip(ioctls.abi.mistakes, 'the documentation of this driver names no mistakes');
  const ready: MistakeReady[] = [];
  for (const { prepare } of mistakes) ready.push(await prepare(agent));
  const refused = async () => {
    for (const { fd, request, argument } of ready) {
      const [{ ok } = { ok: LIVES }] = await repeat(agent, LIVES, [ioctlStep(fd, request, argument)]);
      expect(ok, 'mistakes that were not noticed').toBe(0);
    }
  };
  await expectNoLostObjects(agent, LIVES, refused);
  for (const { end } of ready) await end();
});

test('LIF-07 PWR-05 devices that come and go, with buffers alive, leave nothing among the kernel’s small objects', async ({
  ioctls,
  agent,
  lifecycle,
  binding,
}) => {
  const maker = orSkip(
    ioctls.calls.find(({ makesBuffer }) => makesBuffer),
    'no ioctl of this driver makes a buffer',
  );
  const comeAndGo = async () => {
    for (let coming = 0; coming < COMINGS; coming++) {
      await ioctls.with(maker, async ({ situation, argument }) => {
        await agent.ioctl(situation.fd, maker.request, argument());
        await lifecycle.unbind(binding);
        await lifecycle.bind(binding);
      });
    }
  };
  await expectNoLostObjects(agent, COMINGS, comeAndGo);
});

test('LIF-07 PWR-06 nor does a module that comes and goes, with a buffer each time', async ({
  ioctls,
  agent,
  lifecycle,
}) => {
  const maker = orSkip(
    ioctls.calls.find(({ makesBuffer }) => makesBuffer),
    'no ioctl of this driver makes a buffer',
  );
  await lifecycle.unload();
  const load = await lifecycle.loading(agent);
  const comeAndGo = async () => {
    for (let coming = 0; coming < COMINGS; coming++) {
      await load();
      await ioctls.with(maker, async ({ situation, argument }) => {
        await agent.ioctl(situation.fd, maker.request, argument());
      });
      await lifecycle.tryToUnload(agent);
    }
  };
  await expectNoLostObjects(agent, COMINGS, comeAndGo);
});

test.describe('dma-buf', { tag: '@dma-buf' }, () => {
  test.use({ strategy: 'dma-buf' });

  test('LIF-07 DBF-05 nor does handing over and taking back', async ({ buffers, agent, importer }) => {
    const { pageBytes } = buffers;
    const { fd } = (await buffers.allocate({ bytes: 3 * pageBytes })).allocated;
    const file = await agent.open(importer, 'rdwr');
    const asked = primeHandle.encode({ fd });
    const handle = leftBy(1, 0, 4).bytes;
    const round = async () => {
      const steps = await repeat(agent, IMPORTS, [
        ioctlStep(file, drmRequests.PRIME_FD_TO_HANDLE, asked),
        ['ioctl', file, drmRequests.DESTROY_DUMB, handle],
      ]);
      expect(steps).toEqual(steps.map(() => ({ ok: IMPORTS, failed: {} })));
    };
    await expectNoLoss(() => courseOf(agent, 1, round), 4 * pageBytes);
  });
});
