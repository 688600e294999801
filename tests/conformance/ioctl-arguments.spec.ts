// SPDX-License-Identifier: MIT
/**
 * IOC: what a driver must refuse in a command and in its argument, so that every bit is free for a
 * later meaning. Documentation/process/botching-up-ioctls.rst; Documentation/driver-api/ioctl.rst.
 */
import { expect, lowestFree, observed, test } from '../../fixtures/index.ts';
import { fieldsOf, isGenericCommand, undefinedBits } from '../../harness/profile/ioctls.ts';

/** linux/ioctl.h: 8 bits number, 8 bits type, 14 bits size, 2 bits direction. */
const NUMBERS = 256;

test('IOC-01 a command with a number that the driver does not have is unknown to it', async ({ ioctls }) => {
  const { unknown, calls } = ioctls.abi;
  const known = new Set(calls.map(({ request }) => request));
  const attempts = await ioctls.tryAll(({ call }) =>
    Array.from({ length: NUMBERS }, (_, number) => ((call.request & ~0xff) | number) >>> 0)
      .filter((request) => !known.has(request))
      .map((request) => ({ says: `as number ${request & 0xff}`, request, accepted: unknown })),
  );
  await expect(attempts).toEndAsExpected();
});

test('IOC-02 a command with any other type, size or direction is unknown to the driver', async ({
  ioctls,
}) => {
  const { unknown, calls, commandNumber } = ioctls.abi;
  const known = new Set(calls.map(({ request }) => request));
  const bits = Array.from({ length: commandNumber === 'fixed' ? 32 : 16 }, (_, bit) => bit);
  const attempts = await ioctls.tryAll(({ call }) =>
    bits
      .map((bit) => ({ bit, request: (call.request ^ (1 << bit)) >>> 0 }))
      .filter(({ request }) => !known.has(request) && !isGenericCommand(request))
      .map(({ bit, request }) => ({ says: `with bit ${bit} flipped`, request, accepted: unknown })),
  );
  await expect(attempts).toEndAsExpected();
});

test('IOC-04 a reserved field with any bit set is refused', async ({ ioctls }) => {
  const reserved = ioctls.calls.flatMap((call) => fieldsOf(call, 'reserved'));
  test.skip(reserved.length === 0, 'no structure of this driver has a reserved field');
  const attempts = await ioctls.tryAll(({ call }) =>
    fieldsOf(call, 'reserved').flatMap(({ name, type }) =>
      undefinedBits(type, 0).map((bit) => ({
        says: `with ${name} = 0x${bit.toString(16)}`,
        replaced: { [name]: bit },
        accepted: ioctls.abi.malformed,
      })),
    ),
  );
  await expect(attempts).toEndAsExpected();
});

test('IOC-05 a flag without a meaning is refused, each by itself', async ({ ioctls }) => {
  const attempts = await ioctls.tryAll(({ call, situation }) =>
    fieldsOf(call, 'flags').flatMap(({ name, type, role }) =>
      undefinedBits(type, role.defined).map((bit) => ({
        says: `with bit 0x${bit.toString(16)} in ${name}`,
        replaced: { [name]: BigInt(situation.values[name] ?? 0) | bit },
        accepted: ioctls.abi.malformed,
      })),
    ),
  );
  await expect(attempts).toEndAsExpected();
});

test('IOC-05 a value without a meaning is refused', async ({ ioctls }) => {
  const attempts = await ioctls.tryAll(({ call }) =>
    [
      ...fieldsOf(call, 'choice').flatMap(({ name, role: { values } }) =>
        [Math.max(...values) + 1, 31, 32, 33, 0x100, 0x7fffffff, 0x80000000, 0xffffffff]
          .filter((value) => !values.includes(value))
          .map((value) => ({ name, value })),
      ),
      ...fieldsOf(call, 'in').flatMap(({ name, role }) =>
        (role.refused ?? []).map((value) => ({ name, value })),
      ),
      ...fieldsOf(call, 'flags').flatMap(({ name, role }) =>
        role.oneOf === undefined ? [] : [{ name, value: role.defined & ~role.oneOf }],
      ),
    ].map(({ name, value }) => ({
      says: `with ${name} = ${value}`,
      replaced: { [name]: value },
      accepted: ioctls.abi.malformed,
    })),
  );
  await expect(attempts).toEndAsExpected();
});

test('IOC-10 an ioctl that succeeds returns 0, or the descriptor that it is for', async ({
  ioctls,
  agent,
}) => {
  await ioctls.forEach(async ({ call, situation, argument }) => {
    const free = lowestFree((await agent.openFiles()).map(({ fd }) => fd));
    const { returned } = await agent.ioctl(situation.fd, call.request, argument());
    expect(returned, `what ${call.name} returns`).toBe(call.returnsDescriptor === true ? free : 0);
  });
});

test('IOC-10 a mistake that the documentation names ends with its error, and changes nothing', async ({
  agent,
  ioctls,
}) => {
  const { mistakes } = ioctls.abi;
  test.skip(mistakes === undefined, 'the documentation of this driver names none');
  const attempts = [];
  for (const { says, errors, prepare } of mistakes ?? []) {
    const { fd, request, argument, state, end } = await prepare(agent);
    const before = await state?.();
    attempts.push(await observed(says, errors, () => agent.ioctl(fd, request, argument)));
    expect.soft(await state?.(), `what the driver says after ${says}`).toEqual(before);
    await end();
  }
  await expect(attempts).toEndAsExpected();
});
