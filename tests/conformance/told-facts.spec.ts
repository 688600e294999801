// SPDX-License-Identifier: MIT
/** GEO-02, GEO-06, SHR-05, IOC-15: what a driver tells of a buffer's size, its name, places inside, and itself. */
import { expect, observed, orSkip, test, type Expectation } from '../../fixtures/index.ts';
import type { Fact } from '../../harness/profile/ioctls.ts';

test('GEO-02 the place of a byte inside follows from that of the first, and so do the bytes left; there is none beyond', async ({
  agent,
  ioctls,
}) => {
  const telling = ioctls.calls.filter(({ tellsPlace }) => tellsPlace !== undefined);
  test.skip(telling.length === 0, 'no ioctl of this driver tells where a byte lies');
  const beyond: Expectation[] = [];
  await ioctls.forEach(async ({ call, situation, argument }) => {
    const fields = orSkip(call.tellsPlace, 'tells no place');
    const bytes = orSkip(situation.bufferBytes, 'the profile does not say how large its buffer is');
    const placeOf = async (offset: number) => {
      const { data } = await agent.ioctl(situation.fd, call.request, argument({ [fields.offset]: offset }));
      const told = call.layout.decode(data);
      return [fields.physical, fields.device, fields.left].map((field) => told[field] ?? -1n);
    };
    const [physical = 0n, device = 0n, left = 0n] = await placeOf(0);
    expect(left, 'bytes from the first one on').toBe(BigInt(bytes));
    for (const offset of [1, 8, agent.pageBytes - 1, agent.pageBytes, bytes - agent.pageBytes, bytes - 1]) {
      const inside = BigInt(offset);
      expect(await placeOf(offset), `address, device's address and bytes left, of byte ${offset}`).toEqual([
        physical + inside,
        device + inside,
        left - inside,
      ]);
    }
    for (const offset of [bytes, bytes + 1, bytes + agent.pageBytes, 2n ** 63n, 2n ** 64n - 1n]) {
      beyond.push(
        await observed(`${call.name} of byte ${offset} of ${bytes}`, fields.beyond, () =>
          agent.ioctl(situation.fd, call.request, argument({ [fields.offset]: offset })),
        ),
      );
    }
  }, telling);
  await expect(beyond).toEndAsExpected();
});

test('SHR-05 whoever is asked about a buffer tells its name, also when it was asked without one', async ({
  agent,
  ioctls,
}) => {
  const telling = ioctls.calls.filter(
    ({ tellsAbout, byId, roles }) => tellsAbout !== undefined && roles[byId?.field ?? '']?.kind === 'in-out',
  );
  test.skip(telling.length === 0, 'no ioctl of this driver tells the name of a buffer');
  await ioctls.forEach(async ({ call, situation, argument }) => {
    const { field = '' } = call.byId ?? {};
    const id = orSkip(situation.id, 'the profile does not say how its buffer is named');
    for (const replaced of [{}, { [field]: id }]) {
      const { data } = await agent.ioctl(situation.fd, call.request, argument(replaced));
      expect(call.layout.decode(data)[field], `the name that ${call.name} tells`).toBe(BigInt(id));
    }
  }, telling);
});

test('GEO-06 whoever tells the size of a buffer tells whole pages', async ({ agent, ioctls }) => {
  const telling = ioctls.calls.filter(({ tellsBytes }) => tellsBytes !== undefined);
  test.skip(telling.length === 0, 'no ioctl of this driver tells a size');
  await ioctls.forEach(async ({ call, situation, argument }) => {
    const asked = situation.bufferBytes ?? Number(situation.values[call.sizedBy ?? '']);
    const { data } = await agent.ioctl(situation.fd, call.request, argument());
    expect(call.layout.decode(data)[call.tellsBytes ?? ''], `bytes that ${call.name} tells`).toBe(
      BigInt(Math.ceil(asked / agent.pageBytes) * agent.pageBytes),
    );
  }, telling);
});

test('IOC-15 what the query of version and abilities tells is so', async ({ agent, ioctls }) => {
  const facts = orSkip(ioctls.abi.factsOfDriver, 'this driver tells nothing of itself');
  expectSo(await facts(agent));
});

test('SHR-05 what is told of a buffer is what was asked for, and what the one who asks has of it', async ({
  agent,
  ioctls,
}) => {
  const facts = orSkip(
    ioctls.abi.factsOfBuffers,
    'the profile does not say what this driver tells of buffers',
  );
  expectSo(await facts(agent));
});

function expectSo(facts: readonly Fact[]): void {
  const pairs = (which: 'told' | 'found') =>
    Object.fromEntries(facts.map((fact) => [fact.says, fact[which]]));
  expect(pairs('told'), 'what is told (received), beside what is so').toEqual(pairs('found'));
}
