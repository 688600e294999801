// SPDX-License-Identifier: MIT
/**
 * IOC: the memory that a command's argument lies in. The driver touches no byte that it was not
 * given, tells when it cannot, and has then done nothing. include/linux/uaccess.h.
 */
import { expect, forEachStrategy, lowestFree, test, type Prepared } from '../../fixtures/index.ts';
import type { AgentMapping } from '../../harness/agent/memory.ts';
import type { Agent } from '../../harness/agent/client.ts';
import type { Answer, Expectation } from '../../harness/judge/observation.ts';
import { fieldsOf, type IoctlCall } from '../../harness/profile/ioctls.ts';

const ROUNDS = 200;

type Values = Readonly<Record<string, number>>;

test('IOC-03 an argument that cannot be read is refused, and nothing happens', async ({
  ioctls,
  agent,
  balanceOf,
}) => {
  const attempts: Expectation[] = [];
  const balance = await balanceOf('calls with bad pointers', () =>
    ioctls.forEach(async (prepared) => {
      const { call, argument } = prepared;
      // Only now: whatever is mapped to make ready for a call would lie in the hole.
      const nowhere = await agent.anonymous(2 * agent.pageBytes);
      await nowhere.page(1).unmap();
      const addresses = new Map<string, number | bigint>([
        ['at NULL', 0],
        ['at address 1', 1],
        ['at the kernel', kernelAddress(agent)],
        ['in unmapped memory', nowhere.page(1).address],
      ]);
      const bad = [...addresses].map(([where, address]) => at(agent, prepared, where, address));
      attempts.push(...(await Promise.all(bad)));
      // Everything but the last bytes can be read.
      const start = agent.pageBytes - call.layout.bytes + 4;
      await nowhere.poke(start, argument().subarray(0, -4));
      attempts.push(await at(agent, prepared, 'cut off by unmapped memory', nowhere.address + start));
      attempts.push(await asItShouldBe(agent, prepared));
      await nowhere.page(0).unmap();
    }),
  );
  await expect(attempts).toEndAsExpected();
  await expect(balance).toBalance();
});

test('IOC-03 a result that cannot be written is told, and nothing has happened', async ({
  ioctls,
  agent,
  balanceOf,
}) => {
  const answering = ioctls.calls.filter((call) => answers(call));
  test.skip(answering.length === 0, 'no ioctl of this driver writes into its argument');
  const attempts: Expectation[] = [];
  const balance = await balanceOf('calls with results that cannot be written', async () => {
    for (const call of answering)
      for (const other of [{}, ...(call.otherwise ?? [])])
        await ioctls.with(call, async (prepared) => {
          const argument = await readOnly(agent, prepared, other);
          attempts.push(await at(agent, prepared, 'in read-only memory', argument.address));
          await argument.unmap();
          attempts.push(await asItShouldBe(agent, prepared, other));
        });
  });
  await expect(attempts).toEndAsExpected();
  await expect(balance).toBalance();
});

forEachStrategy(() => {
  test('IOC-03 nor has a buffer got a place whose place could not be told', async ({
    agent,
    buffers,
    driver,
    ioctls,
    strategy,
  }) => {
    const { places } = driver.profile.strategies[strategy] ?? {};
    test.skip(
      places === undefined || !(await buffers.haveNames()),
      'buffers have no places beside their names',
    );
    const handing = ioctls.calls.filter(
      ({ byId, otherwise }) => byId !== undefined && otherwise !== undefined,
    );
    test.skip(handing.length === 0, 'no ioctl of this driver hands a buffer over');
    const attempts: Expectation[] = [];
    for (const call of handing)
      for (const other of call.otherwise ?? [])
        await ioctls.with(call, async (prepared) => {
          const argument = await readOnly(agent, prepared, other);
          attempts.push(await at(agent, prepared, 'in read-only memory', argument.address));
          await argument.unmap();
          // Places are taken in turn: one that lies before what was given since was kept.
          const since = await buffers.allocate({ bytes: buffers.pageBytes });
          const attached = await buffers.others().attach({ name: prepared.situation.id });
          expect(
            Number(attached.allocated.mmapOffset),
            `its place, after ${call.name} with ${JSON.stringify(other)} failed`,
          ).toBeGreaterThan(Number(since.allocated.mmapOffset));
          await attached.close();
          await since.release();
        });
    await expect(attempts).toEndAsExpected();
  });
});

test('IOC-06 results are all written, and no other byte is', async ({ ioctls, agent }) => {
  const collected: Answer[] = [];
  for (const filler of [0xcc, 0x33]) {
    await ioctls.forEach(async ({ call, situation, argument }) => {
      const before = argument();
      for (const { name, bytes, offset } of call.layout.places()) {
        if (mayHoldAnything(call, name)) before.fill(filler, offset, offset + bytes);
      }
      const { data: after, returned } = await agent.ioctl(situation.fd, call.request, before);
      collected.push(answerOf(call, filler, before, after));
      await closeNew(agent, call, after, returned);
    });
  }
  await expect(collected).toHoldTheirResults();
});

test('IOC-07 a descriptor that cannot be told is not left behind', async ({ ioctls, agent, balanceOf }) => {
  const makers = ioctls.calls.filter((call) => fieldsOf(call, 'out-descriptor').length > 0);
  test.skip(makers.length === 0, 'no ioctl of this driver returns a descriptor');
  const attempts: Expectation[] = [];
  const balance = await balanceOf(`${ROUNDS} calls whose descriptor cannot be told`, () =>
    ioctls.forEach(async (prepared) => {
      const argument = await readOnly(agent, prepared);
      const rounds = Array.from({ length: ROUNDS }, () =>
        at(agent, prepared, 'in read-only memory', argument.address),
      );
      attempts.push(...(await Promise.all(rounds)));
      // A number that is taken and leads nowhere is in no list.
      const free = lowestFree((await agent.openFiles()).map(({ fd }) => fd));
      const copy = await agent.dup(prepared.situation.fd);
      expect(copy, 'the first descriptor that is free').toBe(free);
      await agent.close(copy);
      await argument.unmap();
    }, makers),
  );
  await expect(attempts).toEndAsExpected();
  await expect(balance).toBalance();
});

/** Where every 64-bit kernel and every 32-bit one has memory of its own. */
function kernelAddress(agent: Agent): bigint {
  return agent.hello.pointerBytes === 8 ? 0xffff_8000_0000_0000n : 0xc000_8000n;
}

function isResult(call: IoctlCall, name: string): boolean {
  const kind = call.roles[name]?.kind;
  return kind === 'out' || kind === 'out-descriptor';
}

/** What the driver writes, and does not look at before. */
function mayHoldAnything(call: IoctlCall, name: string): boolean {
  const role = call.roles[name];
  return isResult(call, name) && !(role?.kind === 'out-descriptor' && role.zeroBefore === true);
}

function answers(call: IoctlCall): boolean {
  return call.layout.fields.some(([name]) => isResult(call, name)) || fieldsOf(call, 'in-out').length > 0;
}

/** One call with its argument at this address, which has to fail. */
async function at(
  agent: Agent,
  { call, situation }: Prepared,
  where: string,
  address: number | bigint,
): Promise<Expectation> {
  const { errno } = await agent.attempt(() => agent.ioctlAt(situation.fd, call.request, address));
  return {
    call: `${call.name} with its argument ${where}`,
    outcome: errno === undefined ? { kind: 'success', value: 0 } : { kind: 'error', errno },
    accepted: ['EFAULT'],
  };
}

/** What was refused before left the way free. */
async function asItShouldBe(
  agent: Agent,
  { call, situation, argument }: Prepared,
  values: Values = {},
): Promise<Expectation> {
  const result = await agent.attempt(() => agent.ioctl(situation.fd, call.request, argument(values)));
  if (result.ok !== undefined) await closeNew(agent, call, result.ok.data, result.ok.returned);
  return {
    call: `${call.name} as it should be`,
    outcome:
      result.errno === undefined ? { kind: 'success', value: 0 } : { kind: 'error', errno: result.errno },
    accepted: ['success'],
  };
}

async function readOnly(agent: Agent, { argument }: Prepared, values: Values = {}): Promise<AgentMapping> {
  const memory = await agent.anonymous(agent.pageBytes);
  await memory.poke(0, argument(values));
  return memory.protect('r');
}

/** Closes the descriptors that a call returned. */
async function closeNew(agent: Agent, call: IoctlCall, data: Buffer, returned: number): Promise<void> {
  if (call.returnsDescriptor === true) await agent.close(returned);
  const values = call.layout.decode(data);
  for (const { name } of fieldsOf(call, 'out-descriptor')) await agent.close(Number(values[name]));
}

function answerOf(call: IoctlCall, filler: number, before: Buffer, after: Buffer): Answer {
  const fields: Answer['fields'] = {};
  for (const { name, bytes, offset } of call.layout.places()) {
    const kind = call.roles[name]?.kind;
    fields[name] = {
      role: isResult(call, name) ? 'out' : kind === 'in-out' || kind === 'reserved' ? kind : 'in',
      before: before.toString('hex', offset, offset + bytes),
      after: after.toString('hex', offset, offset + bytes),
    };
  }
  return { call: call.name, filler: filler.toString(16), fields };
}
