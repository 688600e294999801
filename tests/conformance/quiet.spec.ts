// SPDX-License-Identifier: MIT
/**
 * LOG: the kernel's log is of a fixed size, and what comes in pushes out what was there. So nobody who
 * may open the device must be able to fill it, by right calls or by wrong ones. What is said a few
 * times and then withheld (lib/ratelimit.c: ten lines in five seconds) fills nothing.
 */
import { expect, forEachStrategy, repeatedLines, test } from '../../fixtures/index.ts';
import { fieldsOf } from '../../harness/profile/ioctls.ts';
import type { FieldType } from '../../harness/profile/layout.ts';

/** More than two times what a ratelimit lets through, in case the machine is slow. */
const TIMES = 25;

forEachStrategy(() => {
  test('LOG-01 buffers that come and go say nothing in the kernel’s log', async ({
    agent,
    buffers,
    kernelSays,
  }) => {
    const { pageBytes } = buffers;
    for (let time = 0; time < TIMES; time++) {
      const buffer = await buffers.allocate({ bytes: 2 * pageBytes });
      const mapping = await buffer.map();
      await mapping.mapping.fill(time);
      const beyond = await agent.attempt(() => buffer.map({ at: pageBytes, bytes: 2 * pageBytes }));
      expect(beyond.ok, 'a mapping that goes on behind the buffer').toBeUndefined();
      await mapping.unmap();
      await buffer.close();
      buffers.reopen();
    }
    expect(repeatedLines(await kernelSays(), TIMES), 'what the kernel logged each time').toEqual([]);
  });
});

test('LOG-02 calls that are refused say nothing in the kernel’s log', async ({
  agent,
  ioctls,
  kernelSays,
}) => {
  const { calls, mistakes = [] } = ioctls.abi;
  const known = new Set(calls.map(({ request }) => request));
  const again = (call: () => Promise<unknown>) =>
    Promise.all(Array.from({ length: TIMES }, () => agent.attempt(call)));
  await ioctls.forEach(async ({ call, situation: { fd }, argument }) => {
    const { request } = call;
    const unknown = Array.from({ length: 256 }, (_, number) => ((request & ~0xff) | number) >>> 0);
    for (const other of unknown.filter((each) => !known.has(each)).slice(0, 1))
      await again(() => agent.ioctl(fd, other, argument()));
    await again(() => agent.ioctlAt(fd, request, 0));
    for (const kind of ['size', 'in', 'flags', 'choice', 'reserved', 'range'] as const)
      for (const { name, type } of fieldsOf(call, kind))
        await again(() => agent.ioctl(fd, request, argument({ [name]: mostOf(type) })));
  });
  for (const { prepare } of mistakes) {
    const { fd, request, argument, end } = await prepare(agent);
    await again(() => agent.ioctl(fd, request, argument));
    await end();
  }
  expect(repeatedLines(await kernelSays(), TIMES), 'what the kernel logged each time').toEqual([]);
});

/** All bits, with and without a meaning. */
function mostOf(type: FieldType): bigint {
  return type === 'u64' ? 2n ** 64n - 1n : 2n ** 32n - 1n;
}
