// SPDX-License-Identifier: MIT
/**
 * IOC: programs that were built at another time, for another word size, or wrongly, get along with
 * the driver. include/linux/uaccess.h:copy_struct_from_user, Documentation/driver-api/ioctl.rst.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, observed, outcomeOf, orSkip, test } from '../../fixtures/index.ts';
import type { Expectation } from '../../harness/judge/observation.ts';
import { fieldsOf, layoutProgram, mutatedArguments, type IoctlCall } from '../../harness/profile/ioctls.ts';

const FUZZED = 1500;
/** Of a driver that kills processes for memory. */
const HARMLESS_BYTES = 2n ** 20n;

test('IOC-09 a 32-bit program on a 64-bit kernel is served alike', async ({ agent, ioctls, target }) => {
  const wide = /64|s390x/.test(target.facts.machine);
  test.skip(agent.hello.pointerBytes === 8 || !wide, 'the programs here are of the kernel’s own word size');
  await expect(
    await ioctls.tryAll(() => [{ says: 'once', accepted: ioctls.abi.unknown, request: 0 }]),
  ).toEndAsExpected();
});

test('IOC-11 a longer structure is taken while its unknown part is zero', async ({ ioctls }) => {
  const growth = orSkip(ioctls.abi.growth, 'structures of this driver do not grow');
  const attempts = await ioctls.tryAll(({ call, argument }) => {
    const longer = (extra: number, at?: number) => {
      const bytes = Buffer.alloc(call.layout.bytes + extra);
      argument({ [growth.field]: bytes.length }).copy(bytes);
      if (at !== undefined) bytes[call.layout.bytes + at] = 0x80;
      return bytes;
    };
    return [1, 4, 8, 64, 1024].flatMap((extra) =>
      [...new Set([0, Math.floor(extra / 2), extra - 1])].map((at) => ({
        says: `with ${extra} bytes more, of which number ${at} is not zero`,
        argument: longer(extra, at),
        accepted: growth.unknownTail,
      })),
    );
  });
  for (const call of ioctls.calls) {
    // Up to a page in all: include/linux/uaccess.h, copy_struct_from_user().
    for (const extra of [1, 8, 64, 1024, ioctls.agent.pageBytes - call.layout.bytes]) {
      await ioctls.with(call, async ({ situation, argument }) => {
        const bytes = Buffer.alloc(call.layout.bytes + extra);
        argument({ [growth.field]: bytes.length }).copy(bytes);
        attempts.push(
          await observed(`${call.name} with ${extra} zero bytes more`, ['success'], () =>
            ioctls.agent.ioctl(situation.fd, call.request, bytes),
          ),
        );
      });
    }
  }
  await expect(attempts).toEndAsExpected();
});

test('IOC-11 a size that is too short, or beyond all measure, is refused', async ({ ioctls }) => {
  const growth = orSkip(ioctls.abi.growth, 'structures of this driver do not grow');
  const attempts = await ioctls.tryAll(({ call }) => [
    ...[0, 1, 4, call.firstBytes - 1].map((bytes) => ({
      says: `with a size of ${bytes}`,
      replaced: { [growth.field]: bytes },
      accepted: growth.short,
    })),
    ...[0x7fff_ffff, 0xffff_ffff].map((bytes) => ({
      says: `with a size of ${bytes}`,
      replaced: { [growth.field]: bytes },
      accepted: [...growth.unknownTail, 'EFAULT'],
    })),
  ]);
  await expect(attempts).toEndAsExpected();
});

test('IOC-12 a descriptor that only names the device takes no ioctl', async ({ agent, driver, ioctls }) => {
  const path = await agent.open(driver.profile.device, 'rdonly,path');
  const attempts: Expectation[] = [];
  await ioctls.forEach(async ({ call, argument }) => {
    attempts.push(
      await observed(`${call.name} on an O_PATH descriptor`, ['EBADF'], () =>
        agent.ioctl(path, call.request, argument()),
      ),
    );
  });
  await expect(attempts).toEndAsExpected();
});

test('IOC-12 what one open file is bound to means nothing on another', async ({ agent, driver, ioctls }) => {
  const bound = ioctls.calls.filter(({ byId }) => byId !== undefined);
  test.skip(bound.length === 0, 'open files of this driver have no state');
  const attempts: Expectation[] = [];
  await ioctls.forEach(async ({ call, argument }) => {
    const other = await agent.open(driver.profile.device, 'rdwr');
    const unnamed = argument({ [call.byId?.field ?? '']: 0 });
    attempts.push(
      await observed(`${call.name} without a name on another open file`, call.byId?.missing ?? [], () =>
        agent.ioctl(other, call.request, unnamed),
      ),
    );
    await agent.close(other);
  }, bound);
  await expect(attempts).toEndAsExpected();
});

test('IOC-13 arguments at random get documented errors and leave nothing', async ({
  startAgent,
  driver,
  ioctls,
  balanceOf,
}) => {
  const careful = driver.profile.properties.overcommits === true;
  const seed = Math.floor(Math.random() * 2 ** 32);
  const attempts: Expectation[] = [];
  const balance = await balanceOf(`${FUZZED} arguments at random from seed ${seed}`, async () => {
    const per = Math.ceil(FUZZED / ioctls.calls.length);
    for (const call of ioctls.calls) {
      const other = await startAgent();
      const theirs = ioctls.through(other);
      await theirs
        .with(call, async ({ situation, argument }) => {
          const made = mutatedArguments(call, argument(), seed, per).map(async (random) => {
            const bytes = careful ? ofHarmlessSize(call, random) : random;
            return {
              call: `${call.name} ${bytes.toString('hex')} (seed ${seed})`,
              accepted: [
                'success',
                ...call.errors,
                ...ioctls.abi.malformed,
                ...(ioctls.abi.growth?.unknownTail ?? []),
                'EFAULT',
              ],
              outcome: await outcomeOf(() => other.ioctl(situation.fd, call.request, bytes)),
            };
          });
          attempts.push(...(await Promise.all(made)));
        })
        .catch(onlyFacts);
      await other.end();
    }
  });
  await expect(attempts).toEndAsExpected();
  await expect(balance).toBalance();
});

test('IOC-14 the header lays structures out as documented, on this machine too', async ({
  driver,
  ioctls,
  runHelper,
}) => {
  const header = orSkip(
    ioctls.abi.header,
    'the header of its structures is not among the rig’s or the system’s',
  );
  const source = test.info().outputPath('layout.c');
  await mkdir(dirname(source), { recursive: true });
  const { program, expected } = layoutProgram(ioctls.abi, header);
  await writeFile(source, program);
  const { code, stdout, stderr } = await runHelper(source);
  expect(code, stderr).toBe(0);
  expect(stdout.trim().split('\n'), `layout of ${driver.profile.name}'s structures`).toEqual(expected);
});

test('IOC-15 asked for its version and abilities the driver always says the same', async ({
  agent,
  ioctls,
}) => {
  const queries = ioctls.calls.filter(({ query }) => query === true);
  test.skip(queries.length === 0, 'the driver cannot be asked');
  for (const call of queries) {
    const answers: unknown[] = [];
    for (let opened = 0; opened < 3; opened++) {
      await ioctls.with(call, async ({ situation, argument }) => {
        const { data } = await agent.ioctl(situation.fd, call.request, argument());
        answers.push(
          Object.fromEntries(
            fieldsOf(call, 'out').map(({ name }) => [name, String(call.layout.decode(data)[name])]),
          ),
        );
      });
    }
    expect(answers).toEqual(answers.map(() => answers[0]));
    expect(
      Object.values(answers[0] ?? {}).some((value) => value !== '0'),
      'something is said',
    ).toBe(true);
  }
});

/** What was prepared may have been freed by a call at random: then there is nothing to take back. */
function onlyFacts(error: unknown): void {
  if (error instanceof Error && error.name === 'SyscallError') return;
  throw error;
}

/** The same, with a size that every machine has. */
function ofHarmlessSize({ layout, sizedBy }: IoctlCall, argument: Buffer): Buffer {
  const place = layout.places().find(({ name }) => name === sizedBy);
  if (place?.bytes !== 8) return argument;
  const tame = Buffer.from(argument);
  tame.writeBigUInt64LE(argument.readBigUInt64LE(place.offset) % HARMLESS_BYTES, place.offset);
  return tame;
}
