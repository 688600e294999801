// SPDX-License-Identifier: MIT
/**
 * CON: many processes at one driver at once. Each repeats requests by itself, so that they meet inside
 * the kernel; afterwards everything is back, and the kernel has said nothing.
 */
import {
  beginRepeating,
  expect,
  finishRepeating,
  ioctlStep,
  orSkip,
  repeat,
  test,
} from '../../fixtures/index.ts';
import type { Repeated, Step } from '../../harness/agent/repeat.ts';
import { argumentOf, fieldsOf } from '../../harness/profile/ioctls.ts';

const PROCESSES = 4;
const ROUNDS = 300;
/** A race of a few instructions is met once in thousands of rounds; 20,000 take 43 s. */
const CHURNS = [
  { rounds: ROUNDS, tag: [] },
  { rounds: 20_000, tag: '@slow' },
];
/**
 * Refusals of each process on one file. Measured in an emulated guest: two that meet in a few instructions are met in 7
 * of 8 runs of 3000, which take 2 to 4 s, and in all of 20,000, which take 22 s beside another guest.
 */
const REFUSALS = [
  { refusals: 3000, tag: [] },
  { refusals: 20_000, tag: '@slow' },
];
const NO_CHURN = 'nobody described how this driver makes and frees a buffer by ioctls alone';
const NO_PILE = 'open files of this driver hold no buffers';
/** Times that a race has to be met before it says anything. */
const MEETINGS = 20;
/** Measured in an emulated guest: 3 cycles take 1 s, 20 take 6. */
const GOINGS = [
  { cycles: 3, opens: 1500, tag: [] },
  { cycles: 20, opens: 10_000, tag: '@slow' },
];
/** Tries until something appears; thousands take milliseconds. */
const PATIENCE = 100_000;

for (const { rounds, tag } of CHURNS) {
  test(
    `CON-01 ${PROCESSES} processes that allocate and free ${rounds} times at once do not disturb each other`,
    { tag },
    async ({ agent, driver, ioctls, balanceOf }) => {
      if (rounds > ROUNDS) test.setTimeout(8 * test.info().timeout);
      const churn = orSkip(ioctls.abi.churn, NO_CHURN);
      const patient = rounds > ROUNDS ? agent.allowing(120_000) : agent;
      const balance = await balanceOf(`${PROCESSES} processes at once`, async () => {
        const children = await Promise.all(Array.from({ length: PROCESSES }, () => patient.fork()));
        for (const child of children) {
          const fd = await child.agent.open(driver.profile.device, 'rdwr');
          await beginRepeating(child, rounds, churn(fd, agent.pageBytes));
        }
        const all = await Promise.all(children.map(finishRepeating));
        for (const child of children) await child.exit();
        expect(all.flat()).toEqual(all.flat().map(() => ({ ok: rounds, failed: {} })));
      });
      await expect(balance).toBalance();
    },
  );
}

test('CON-01 processes that share an open file get one answer each', async ({
  agent,
  driver,
  ioctls,
  balanceOf,
}) => {
  const churn = orSkip(ioctls.abi.churn, NO_CHURN);
  const balance = await balanceOf(`${PROCESSES} processes with one open file`, async () => {
    const fd = await agent.open(driver.profile.device, 'rdwr');
    const children = await Promise.all(Array.from({ length: PROCESSES }, () => agent.fork()));
    const steps = churn(fd, agent.pageBytes);
    for (const child of children) await beginRepeating(child, ROUNDS, steps);
    const all = await Promise.all(children.map(finishRepeating));
    for (const child of children) await child.exit();
    await agent.close(fd);
    const [made, , freed] = steps.map((_, step) =>
      all.reduce((sum, outcome) => sum + (outcome[step]?.ok ?? 0), 0),
    );
    // What one process made any of them may have freed, and none twice; the last may be left to close().
    expect(made, 'buffers made').toBeGreaterThan(0);
    expect([made, (made ?? 0) - 1], `buffers freed of ${made} made`).toContain(freed);
    // That there is one already, or none any more, is an answer; these are none.
    const wrong = ['EFAULT', 'EINVAL', 'ENOMEM', 'EIO', 'usage'];
    expect(errorsIn(all).filter((error) => wrong.includes(error))).toEqual([]);
  });
  await expect(balance).toBalance();
});

for (const { refusals, tag } of REFUSALS) {
  test(
    `CON-01 processes that are refused ${refusals} times at once on one open file leave it as it was`,
    { tag },
    async ({ agent, driver, ioctls, lifecycle }) => {
      const quota = orSkip(driver.profile.system.quota, 'the driver has no limits');
      const own = orSkip(quota.perOpenFile, 'the driver has no limit for an open file');
      const churn = orSkip(ioctls.abi.churn, NO_CHURN);
      const pile = orSkip(ioctls.abi.pile, NO_PILE);
      if (tag.length > 0) test.setTimeout(8 * test.info().timeout);
      const patient = tag.length > 0 ? agent.allowing(120_000) : agent;
      const fd = await agent.open(driver.profile.device, 'rdwr');
      const children = await Promise.all(Array.from({ length: PROCESSES }, () => patient.fork()));
      // Less than a page: whatever is asked for is refused, late enough for the file to have been claimed.
      await lifecycle.set(own, 1);
      await agent.makeRoom();
      for (const child of children) await beginRepeating(child, refusals, [pile(fd, agent.pageBytes)]);
      const refused = await Promise.all(children.map(finishRepeating));
      for (const child of children) await child.exit();
      expect(refused.flat()).toEqual(
        children.map(() => ({ ok: 0, failed: { [quota.exceeded[0] ?? '']: refusals } })),
      );
      await lifecycle.set(own, 0);
      // A file that has no buffer can become one, and one that has some cannot.
      const outcome = await repeat(agent, 1, churn(fd, agent.pageBytes));
      expect(outcome, 'a buffer of its own, for the file on which all was refused').toEqual(
        outcome.map(() => ({ ok: 1, failed: {} })),
      );
      await agent.close(fd);
    },
  );
}

test('CON-03 a name that is guessed leads to a whole buffer, or to none', async ({
  agent,
  driver,
  ioctls,
  balanceOf,
}) => {
  const byName = ioctls.calls.filter((call) => call.byId !== undefined && call.makesDmaBuf === undefined);
  const telling = byName.filter(({ tellsAbout }) => tellsAbout !== undefined);
  test.skip(telling.length === 0, 'this driver tells nothing about a buffer by its name');
  const pile = orSkip(ioctls.abi.pile, NO_PILE);
  const balance = await balanceOf('guessing names', async () => {
    const owner = await agent.fork();
    const theirs = await owner.agent.open(driver.profile.device, 'rdwr');
    const own = await agent.open(driver.profile.device, 'rdwr');
    let met = 0;
    // A race that was not met says nothing, so it is run until it was, or for long.
    for (let round = 0; round < 1 || (met < MEETINGS && round < 30); round++) {
      for (const call of telling) {
        const finished = await aboutFinished(call);
        const first = await nextName();
        await agent.makeRoom();
        // Together, or a quick machine has made them all before anybody asks. Each name is asked for from before it
        // exists, so the first answer is from its first moment.
        const [, ...answers] = await Promise.all([
          beginRepeating(owner, ROUNDS, slowly(pile(theirs, agent.pageBytes), call, theirs)),
          ...Array.from({ length: ROUNDS }, (_, ahead) =>
            agent.attempt(() => agent.ioctlUntil(own, call.request, named(call, first + ahead), PATIENCE)),
          ),
        ]);
        for (const { ok } of answers) {
          if (ok === undefined) continue;
          if (ok.failed > 0) met += 1;
          expect(factsIn(call, ok.data), `${call.name} about a buffer in the making`).toBe(finished);
        }
        expect((await finishRepeating(owner))[0]).toEqual({ ok: ROUNDS, failed: {} });
      }
    }
    await owner.exit();
    await agent.close(own);
    test.info().annotations.push({ type: 'met', description: `${met} buffers of the other process` });
    expect(met, 'buffers of the other process that were met').toBeGreaterThanOrEqual(MEETINGS);
  });
  await expect(balance).toBalance();

  /** What the driver tells about a buffer of the other process that is there and stays. */
  async function aboutFinished(call: (typeof byName)[number]): Promise<string> {
    const [fd, own] = [
      await agent.open(driver.profile.device, 'rdwr'),
      await agent.open(driver.profile.device, 'rdwr'),
    ];
    const id = await nextName();
    await repeat(agent, 1, [pile(fd, agent.pageBytes)]);
    const { data } = await agent.ioctl(own, call.request, named(call, id));
    await agent.close(fd);
    await agent.close(own);
    return factsIn(call, data);
  }

  /** A step with others behind it that take time and do nothing, so that whoever asks keeps up. */
  function slowly(step: Step, call: (typeof byName)[number], fd: number): Step[] {
    const nothing = ioctlStep(fd, call.request, named(call, 0x7fff_ffff));
    return [step, ...Array.from({ length: 8 }, () => nothing)];
  }

  /** The results of a call, without the name itself, in words. */
  function factsIn(call: (typeof byName)[number], data: Buffer): string {
    const fields = call.layout.decode(data);
    return fieldsOf(call, 'out')
      .map(({ name }) => `${name} ${fields[name]}`)
      .join(', ');
  }

  function named(call: (typeof byName)[number], id: number): Buffer {
    const nothing = { fd: -1, values: {}, end: () => Promise.resolve() };
    return argumentOf(ioctls.abi, call, nothing, { [call.byId?.field ?? '']: id });
  }

  /** Names count up: the one after that of a buffer made now. */
  async function nextName(): Promise<number> {
    const [call] = byName;
    if (call === undefined) return 0;
    const situation = await call.prepare(agent);
    await situation.end();
    return (situation.id ?? 0) + 1;
  }
});

test('CON-04 a mapping made while its buffer is freed is whole, or is refused', async ({
  agent,
  driver,
  ioctls,
  balanceOf,
}) => {
  const { outOfBounds } = driver.profile.properties;
  test.skip(ioctls.abi.pile === undefined, NO_PILE);
  const churn = orSkip(ioctls.abi.churn, NO_CHURN);
  const balance = await balanceOf('mapping against freeing', async () => {
    const fd = await agent.open(driver.profile.device, 'rdwr');
    const child = await agent.fork();
    let mapped = 0;
    for (let round = 0; round < 2 || (mapped < MEETINGS && round < 100); round++) {
      await agent.makeRoom();
      // Together, or a quick machine is done with the one before the other begins.
      const [, ...tries] = await Promise.all([
        beginRepeating(child, ROUNDS, churn(fd, agent.pageBytes)),
        ...Array.from({ length: ROUNDS }, () =>
          agent.attempt(() => agent.mmap({ length: agent.pageBytes, fd })),
        ),
      ]);
      const maps = tries.flatMap(({ ok }) => ok ?? []);
      mapped += maps.length;
      const seen = await Promise.all(maps.map((map) => agent.attempt(() => map.load(0))));
      // Whose memory it is now is this mapping's, and a fresh buffer's reads as zero.
      expect(seen.map((outcome) => outcome.ok ?? outcome)).toEqual(maps.map(() => 0n));
      expect(outOfBounds).toEqual(
        expect.arrayContaining([...new Set(tries.flatMap(({ errno }) => errno ?? []))]),
      );
      await Promise.all(maps.map((map) => map.unmap()));
      await finishRepeating(child);
    }
    await child.exit();
    await agent.close(fd);
    test.info().annotations.push({ type: 'met', description: `${mapped} mappings` });
    expect(mapped, 'mappings that met a buffer').toBeGreaterThanOrEqual(MEETINGS);
  });
  await expect(balance).toBalance();
});

test('CON-04 what the system tells of an open file is whole while its buffers come and go', async ({
  agent,
  driver,
  ioctls,
  balanceOf,
}) => {
  const churn = orSkip(ioctls.abi.churn, NO_CHURN);
  const { listing } = driver.profile.system;
  const balance = await balanceOf('looking while buffers come and go', async () => {
    const fd = await agent.open(driver.profile.device, 'rdwr');
    const child = await agent.fork();
    const looks: Step[] = [`/proc/self/fdinfo/${fd}`, ...(listing === undefined ? [] : [listing.file])].map(
      (file) => ['cat', file],
    );
    await agent.makeRoom();
    const [, seen] = await Promise.all([
      beginRepeating(child, 2 * ROUNDS, churn(fd, agent.pageBytes)),
      repeat(agent, ROUNDS, looks),
    ]);
    await finishRepeating(child);
    await child.exit();
    await agent.close(fd);
    expect(seen).toEqual(looks.map(() => ({ ok: ROUNDS, failed: {} })));
  });
  await expect(balance).toBalance();
});

test('CON-05 an argument that changes during the call does no harm', async ({ agent, ioctls, balanceOf }) => {
  // Descriptors that calls made would have to be closed in between.
  const calls = ioctls.calls.filter(
    (call) => fieldsOf(call, 'out-descriptor').length === 0 && call.returnsDescriptor !== true,
  );
  test.skip(calls.length === 0, 'every ioctl of this driver makes a descriptor');
  const rounds = 80;
  const balance = await balanceOf('changing arguments', () =>
    ioctls.forEach(async ({ call, situation, argument }) => {
      // Shared with a child, so that both see one argument.
      const shared = await agent.mmap({ length: agent.pageBytes });
      const child = await agent.fork();
      for (const { name, bytes, offset } of call.layout.places().slice(0, 6)) {
        await shared.poke(0, argument());
        const usual = argument();
        const value = bytes === 8 ? usual.readBigUInt64LE(offset) : BigInt(usual.readUInt32LE(offset));
        const width = bytes === 8 ? 8 : 4;
        const store = (other: bigint) =>
          ['store', shared.address + offset, width, BigInt.asUintN(bytes * 8, other)] as const;
        const changes = [store(value), store(~value), store(0n), store(value + 8n)];
        await agent.makeRoom();
        const [, [asked]] = await Promise.all([
          // A store is much sooner done than a call.
          beginRepeating(child, 10 * rounds, changes),
          repeat(agent, rounds, [['ioctl-at', situation.fd, call.request, shared.address]]),
        ]);
        await finishRepeating(child);
        const documented = [
          ...call.errors,
          ...ioctls.abi.malformed,
          ...(ioctls.abi.growth?.unknownTail ?? []),
          'EFAULT',
        ];
        expect(documented, `errors of ${call.name} while ${name} changes`).toEqual(
          expect.arrayContaining(Object.keys(asked?.failed ?? {})),
        );
      }
      await child.exit();
      await shared.unmap();
    }, calls),
  );
  await expect(balance).toBalance();
});

for (const { cycles, opens, tag } of GOINGS) {
  test(
    `CON-08 opening while the device goes and comes ${cycles} times succeeds, or is refused`,
    { tag },
    async ({ agent, driver, lifecycle, balanceOf, binding }) => {
      const balance = await balanceOf('opening against unbinding', async () => {
        const children = await Promise.all(Array.from({ length: 2 }, () => agent.fork()));
        for (const child of children) {
          const fd = await child.agent.open(driver.profile.device, 'rdwr');
          await child.agent.close(fd);
          await beginRepeating(child, opens, [
            ['open', driver.profile.device, 'rdwr'],
            ['close', fd],
          ]);
        }
        for (let cycle = 0; cycle < cycles; cycle++) {
          await lifecycle.unbind(binding);
          await lifecycle.bind(binding);
        }
        const all = await Promise.all(children.map(finishRepeating));
        for (const child of children) await child.exit();
        const [opened, refused] = [
          all.map(([open]) => open?.ok ?? 0),
          errorsIn(all.map(([open]) => [open as Repeated])),
        ];
        expect(Math.min(...opened), 'times it could be opened').toBeGreaterThan(0);
        expect([...binding.gone, 'ENOENT', 'ENXIO']).toEqual(expect.arrayContaining(refused));
      });
      await expect(balance).toBalance();
    },
  );
}

test('CON-10 signals interrupt no call that does not say so', async ({
  agent,
  driver,
  ioctls,
  balanceOf,
}) => {
  const churn = orSkip(ioctls.abi.churn, NO_CHURN);
  const balance = await balanceOf('a storm of signals', async () => {
    const child = await agent.fork();
    const fd = await child.agent.open(driver.profile.device, 'rdwr');
    let came = 0;
    // A quick machine does all in the time of a few signals.
    for (let time = 0; time < 1 || (came < MEETINGS && time < 100); time++) {
      await child.agent.request('alarm', 1000);
      const outcome = await repeat(child.agent, ROUNDS, churn(fd, agent.pageBytes));
      const { signals } = await child.agent.request<{ signals: number }>('alarm', 0);
      came += signals;
      expect(outcome).toEqual(outcome.map(() => ({ ok: ROUNDS, failed: {} })));
    }
    await child.exit();
    expect(came, 'signals that came').toBeGreaterThanOrEqual(MEETINGS);
  });
  await expect(balance).toBalance();
});

/** Every errno that any step of any process failed with. */
function errorsIn(outcomes: readonly (readonly Repeated[])[]): string[] {
  return [...new Set(outcomes.flat().flatMap(({ failed }) => Object.keys(failed)))];
}
