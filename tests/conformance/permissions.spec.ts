// SPDX-License-Identifier: MIT
/**
 * PRM: who may open the device, learn where memory lies, and use what belongs to others.
 * Documentation/admin-guide/sysfs-rules.rst; capabilities(7), user_namespaces(7).
 */
import {
  becomeNobodyWith,
  becomeRootOfOwnNamespace,
  capabilitiesOfRoot,
  expect,
  forEachStrategy,
  NOBODY,
  observed,
  orSkip,
  test,
  type Ioctls,
} from '../../fixtures/index.ts';
import type { Agent } from '../../harness/agent/client.ts';
import type { Expectation } from '../../harness/judge/observation.ts';
import { argumentOf, type IoctlCall } from '../../harness/profile/ioctls.ts';

test('PRM-01 the node is closed to everybody but its owner and group', async ({ agent, driver }) => {
  const { device, system } = driver.profile;
  const { mode, type, uid } = await agent.request<{ mode: string; type: string; uid: number }>(
    'stat',
    device,
  );
  expect({ type, uid }).toEqual({ type: 'character device', uid: 0 });
  const more = parseInt(mode, 8) & ~system.nodeMode;
  expect(more.toString(8), `rights in ${mode} beyond ${system.nodeMode.toString(8)}`).toBe('0');
  const child = await agent.fork();
  await child.agent.request('setuid', NOBODY);
  const calls = (['rdonly', 'wronly', 'rdwr'] as const).map((access) =>
    observed(`open() by a user without rights, ${access}`, ['EACCES'], () =>
      child.agent.open(device, access),
    ),
  );
  await expect(await Promise.all(calls)).toEndAsExpected();
});

forEachStrategy(() => {
  test('PRM-02 nothing that everybody can read tells where buffers lie', async ({
    agent,
    buffers,
    driver,
    target,
  }) => {
    const mappings = [];
    for (const pages of [1, 16, 256]) {
      mappings.push(await (await buffers.allocate({ bytes: pages * buffers.pageBytes })).map());
    }
    const addresses = mappings.flatMap(({ buffer }) => buffer.allocated.physicalAddress ?? []);
    test.skip(addresses.length === 0, 'the driver tells nobody where its buffers lie');
    const child = await agent.fork();
    await child.agent.request('setuid', NOBODY);
    const found = await target.exec([
      'find',
      ...driver.profile.system.shown,
      '-follow',
      '-maxdepth',
      '4',
      '-type',
      'f',
    ]);
    const own = (await child.agent.openFiles()).map(({ fd }) => `/proc/self/fdinfo/${fd}`);
    const files = [...found.stdout.split('\n').filter((path) => path !== ''), ...own, '/proc/iomem'];
    const { pageBytes } = buffers;
    const texts = await readable(child.agent, files);
    await expect({ addresses, pageBytes, texts }).toTellNoAddress();

    // There the offsets of mappings stand, by which some strategies name a buffer's address: that is for PRM-04.
    const maps = await readable(child.agent, ['/proc/self/maps']);
    const offsets = mappings.map(({ buffer }) => Number(buffer.allocated.mmapOffset));
    const hidden = addresses.filter((address) => !offsets.includes(address));
    if (hidden.length > 0) await expect({ addresses: hidden, pageBytes, texts: maps }).toTellNoAddress();
  });
});

test('PRM-02 the list that is for root can be read by nobody else, wherever it is shown', async ({
  agent,
  driver,
}) => {
  const { file } = orSkip(driver.profile.system.listing, 'the driver keeps no list of its buffers');
  // Who may come to it is up to how debugfs is mounted (Documentation/filesystems/debugfs.rst); who may open it is not.
  const { mode, uid } = await agent.request<{ mode: string; uid: number }>('stat', file);
  expect(uid, `owner of ${file}`).toBe(0);
  expect((parseInt(mode, 8) & 0o077).toString(8), `rights of others in ${mode} of ${file}`).toBe('0');
});

test('PRM-03 addresses are told to nobody without the capability', async ({ agent, ioctls }) => {
  const privileged = ioctls.calls.filter((call) => call.privileged !== undefined);
  test.skip(privileged.length === 0, 'no ioctl of this driver tells an address');
  const attempts: Expectation[] = [];
  await ioctls.forEach(async ({ call, situation, argument }) => {
    const ask = (asker: Agent) => () => asker.ioctl(situation.fd, call.request, argument());
    attempts.push(await observed(`${call.name} by root`, ['success'], ask(agent)));
    const child = await agent.fork();
    await child.agent.request('setuid', NOBODY);
    // Through the same open file: a right of the file would be passed on with it.
    attempts.push(await observed(`${call.name} by another user`, call.privileged ?? [], ask(child.agent)));
    await child.exit();
  }, privileged);
  await expect(attempts).toEndAsExpected();
});

test(
  'PRM-03 nobody without the capability names a buffer by its address',
  { tag: '@offset-physical' },
  async ({ agent, driver, ioctls }) => {
    const { 'offset-physical': named, 'fd-per-buffer': byFile } = driver.profile.strategies;
    const byAddress = orSkip(named, 'this driver names no buffers by their addresses');
    const errors = ioctls.calls.flatMap(({ privileged = [] }) => privileged);
    const request = { bytes: agent.pageBytes };
    const child = await agent.fork();
    // The group stays, by which it may open the node; the capabilities go.
    await child.agent.request('seteuid', NOBODY);
    const attempts = [
      await observed('an allocation by another user', errors, async () =>
        (await byAddress.open(child.agent)).allocate(request),
      ),
    ];
    // What it made itself is nobody's secret but for the address.
    const own = await (await byFile?.open(child.agent))?.allocate(request);
    if (own?.name !== undefined) {
      const { name } = own;
      attempts.push(
        await observed('its own buffer, by its address', errors, async () =>
          (await byAddress.open(child.agent)).attach?.(name),
        ),
      );
    }
    await expect(attempts).toEndAsExpected();
    await child.exit();
  },
);

test(
  'PRM-03 nor another buffer by its address, through a file on which somebody did so before',
  { tag: '@offset-physical' },
  async ({ agent, driver, ioctls }) => {
    const { 'offset-physical': named, 'fd-per-buffer': byFile } = driver.profile.strategies;
    const byAddress = orSkip(named, 'this driver names no buffers by their addresses');
    const errors = ioctls.calls.flatMap(({ privileged = [] }) => privileged);
    const request = { bytes: agent.pageBytes };
    const child = await agent.fork();
    // As whoever has the right leaves it, and then passes it on.
    const used = await byAddress.open(child.agent);
    await used.allocate(request);
    await child.agent.request('seteuid', NOBODY);
    const own = await (await byFile?.open(child.agent))?.allocate(request);
    if (own?.name !== undefined && used.attach !== undefined) {
      const attach = used.attach.bind(used, own.name);
      const call = 'its own buffer, by its address, on a file that has others so';
      await expect([await observed(call, errors, attach)]).toEndAsExpected();
    }
    const allocate = () => used.allocate(request);
    await expect([await observed('an allocation on that file', errors, allocate)]).toEndAsExpected();
    await child.exit();
  },
);

test(
  'PRM-04 an address as an offset is a handle for one’s own buffers, and tells nothing of others',
  { tag: '@offset-physical' },
  async ({ agent, driver, startAgent }) => {
    const strategy = driver.profile.strategies['offset-physical'];
    if (strategy === undefined) return;
    const other = await startAgent();
    const theirs = await (await strategy.open(other)).allocate({ bytes: 4 * agent.pageBytes });
    const own = await (await strategy.open(agent)).allocate({ bytes: 4 * agent.pageBytes });
    const page = BigInt(agent.pageBytes);
    // The own buffer's address with a high bit flipped is certainly nobody's.
    const offsets = [theirs.mmapOffset, theirs.mmapOffset + page, 0n, page, own.mmapOffset ^ (1n << 43n)];
    const answers = await Promise.all(
      offsets.map((offset) =>
        agent.attempt(() => agent.mmap({ length: agent.pageBytes, fd: own.fd, offset })),
      ),
    );
    await other.end();
    const errors = answers.map(({ errno }) => errno ?? 'success');
    expect(new Set(errors), `answers for ${offsets.map((offset) => offset.toString(16)).join(', ')}`).toEqual(
      new Set([driver.profile.properties.outOfBounds[0]]),
    );
  },
);

test(
  'PRM-04 nor is it told to whoever was passed the descriptor and has no right to addresses',
  { tag: '@offset-physical' },
  async ({ agent, driver, ioctls }) => {
    const strategy = driver.profile.strategies['offset-physical'];
    if (strategy === undefined) return;
    const asking = ioctls.calls.filter(({ tellsAbout }) => tellsAbout !== undefined);
    test.skip(asking.length === 0, 'no ioctl of this driver tells facts about a buffer');
    const own = await (await strategy.open(agent)).allocate({ bytes: 4 * agent.pageBytes });
    const child = await agent.fork();
    await child.agent.request('setuid', NOBODY);
    for (const call of asking) {
      const values = { fd: own.fd, values: {}, end: () => Promise.resolve() };
      const argument = argumentOf(ioctls.abi, call, values, { [call.byId?.field ?? '']: own.name ?? 0 });
      const { data } = await child.agent.ioctl(own.fd, call.request, argument);
      const told = Object.entries(call.layout.decode(data)).filter(
        ([, value]) => value >= own.mmapOffset && value < own.mmapOffset + BigInt(own.allocatedBytes),
      );
      expect(Object.fromEntries(told), `what ${call.name} tells of the address`).toEqual({});
    }
  },
);

test('PRM-05 SHR-05 another user’s buffer cannot be used by guessing its name', async ({
  agent,
  driver,
  ioctls,
}) => {
  const byName = ioctls.calls.filter((call) => call.byId !== undefined);
  test.skip(byName.length === 0, 'buffers of this driver have no names');
  const attempts: Expectation[] = [];
  await ioctls.forEach(async ({ call, situation, argument }) => {
    const child = await agent.fork();
    // It may open the node, by its group for example, and then has rights to nothing else.
    const fd = await child.agent.open(driver.profile.device, 'rdwr');
    await child.agent.request('setuid', NOBODY);
    const named = argument({ [call.byId?.field ?? '']: situation.id ?? 0 });
    attempts.push(
      await observed(`${call.name} with another user's buffer`, call.byId?.stranger ?? [], () =>
        child.agent.ioctl(fd, call.request, named),
      ),
    );
    await child.exit();
    attempts.push(
      await observed(`${call.name} by its owner, afterwards`, ['success'], () =>
        agent.ioctl(situation.fd, call.request, argument()),
      ),
    );
  }, byName);
  await expect(attempts).toEndAsExpected();
});

test('PRM-05 the capability that a call asks for is no right to the buffers of others', async ({
  agent,
  driver,
  ioctls,
}) => {
  const capability = orSkip(ioctls.abi.capability, 'no call of this driver asks for a capability');
  const attempts: Expectation[] = [];
  await ioctls.forEach(
    async ({ call, situation, argument }) => {
      const child = await agent.fork();
      const fd = await child.agent.open(driver.profile.device, 'rdwr');
      await becomeNobodyWith(child.agent, [capability]);
      const named = argument({ [call.byId?.field ?? '']: situation.id ?? 0 });
      attempts.push(
        await observed(`${call.name} with another user's buffer`, call.byId?.capable ?? [], () =>
          child.agent.ioctl(fd, call.request, named),
        ),
      );
      await child.exit();
    },
    ioctls.calls.filter(({ byId }) => byId?.capable !== undefined),
  );
  await expect(attempts).toEndAsExpected();
});

test('PRM-05 SHR-05 another user’s buffer can be used as documented when it was made for everybody', async ({
  agent,
  driver,
  ioctls,
}) => {
  const make = orSkip(ioctls.abi.forEverybody, 'this driver makes no buffers for everybody');
  const attempts: Expectation[] = [];
  await ioctls.forEach(
    async ({ call, argument }) => {
      const shared = await make(agent);
      const child = await agent.fork();
      const fd = await child.agent.open(driver.profile.device, 'rdwr');
      await child.agent.request('setuid', NOBODY);
      const named = argument({ [call.byId?.field ?? '']: shared.id ?? 0 });
      const { everybody = [] } = call.byId ?? {};
      attempts.push(
        await observed(
          `${call.name} with a buffer for everybody`,
          everybody.length === 0 ? ['success'] : everybody,
          () => child.agent.ioctl(fd, call.request, named),
        ),
      );
      await child.exit();
      await shared.end();
    },
    ioctls.calls.filter(({ byId }) => byId?.everybody !== undefined),
  );
  await expect(attempts).toEndAsExpected();
});

test('PRM-05 SHR-05 nor does whoever has a buffer for everybody at hand get a right of its owner’s', async ({
  agent,
  buffers,
  driver,
  ioctls,
}) => {
  const make = orSkip(ioctls.abi.forEverybody, 'this driver makes no buffers for everybody');
  test.skip(!(await buffers.haveNames()), 'the driver has no names to attach buffers by');
  const owners = decidedByRights(ioctls).filter(({ byId }) => (byId?.everybody ?? []).length > 0);
  test.skip(owners.length === 0, 'whoever may use a buffer may do everything with it');
  const attempts: Expectation[] = [];
  for (const call of owners) {
    const shared = await make(agent);
    const child = await agent.fork();
    const empty = await child.agent.open(driver.profile.device, 'rdwr');
    // The group stays, by which it may open the node.
    await child.agent.request('seteuid', NOBODY);
    const attached = await buffers.others({ agent: child.agent }).attach({ name: shared.id });
    const named = argumentOf(
      ioctls.abi,
      call,
      { ...shared, values: {} },
      { [call.byId?.field ?? '']: shared.id ?? 0 },
    );
    for (const [how, fd] of [
      ['attached', attached.allocated.fd],
      ['attached, through another file', empty],
      ['passed to it', shared.fd],
    ] as const) {
      attempts.push(
        await observed(`${call.name} with another user's buffer, ${how}`, call.byId?.everybody ?? [], () =>
          child.agent.ioctl(fd, call.request, named),
        ),
      );
    }
    await child.exit();
    await shared.end();
  }
  await expect(attempts).toEndAsExpected();
});

test('PRM-05 who works with another user’s rights has those of that user, to what it made itself', async ({
  agent,
  driver,
  ioctls,
}) => {
  const deciding = decidedByRights(ioctls);
  test.skip(deciding.length === 0, 'rights to a buffer decide nothing in this driver');
  const child = await agent.fork();
  // The group stays, by which it may open the node.
  await child.agent.request('seteuid', NOBODY);
  const { device } = driver.profile;
  await expect(await byName(ioctls.through(child.agent), deciding, child.agent, device)).toEndAsExpected();
  await child.exit();
});

test('PRM-05 root has the rights of the owner to every buffer', async ({ agent, driver, ioctls }) => {
  const deciding = decidedByRights(ioctls);
  test.skip(
    deciding.length === 0 || ioctls.abi.ownsAll === undefined,
    'no right of root is documented for this driver',
  );
  const child = await agent.fork();
  await child.agent.request('seteuid', NOBODY);
  const { device } = driver.profile;
  await expect(await byName(ioctls.through(child.agent), deciding, agent, device)).toEndAsExpected();
  await child.exit();
});

test('PRM-05 of all capabilities it is one alone that has those rights', async ({
  agent,
  driver,
  ioctls,
}) => {
  const owning = orSkip(ioctls.abi.ownsAll, 'no capability is a right to the buffers of others');
  const others = (await capabilitiesOfRoot(agent)).filter((capability) => capability !== owning);
  const attempts: Expectation[] = [];
  await ioctls.forEach(async ({ call, situation, argument }) => {
    const named = argument({ [call.byId?.field ?? '']: situation.id ?? 0 });
    for (const [who, capabilities, accepted] of [
      ['who has all capabilities but that one', others, call.byId?.stranger ?? []],
      ['who has no other', [owning], ['success']],
    ] as const) {
      const child = await agent.fork();
      const fd = await child.agent.open(driver.profile.device, 'rdwr');
      await becomeNobodyWith(child.agent, capabilities);
      const trying = () => child.agent.ioctl(fd, call.request, named);
      attempts.push(await observed(`${call.name} by ${who}`, accepted, trying));
      await child.exit();
    }
  }, decidedByRights(ioctls));
  await expect(attempts).toEndAsExpected();
});

test('PRM-06 root of a user namespace of one’s own has no right to the buffers of others', async ({
  agent,
  driver,
  ioctls,
}) => {
  const byName = ioctls.calls.filter((call) => call.byId !== undefined);
  test.skip(byName.length === 0, 'buffers of this driver have no names');
  const child = await agent.fork();
  const fd = await child.agent.open(driver.profile.device, 'rdwr');
  await child.agent.request('setuid', NOBODY);
  const errno = await becomeRootOfOwnNamespace(child.agent);
  test.skip(errno !== undefined, `this kernel makes no user namespaces for everybody: ${errno}`);
  const attempts: Expectation[] = [];
  await ioctls.forEach(async ({ call, situation, argument }) => {
    const named = argument({ [call.byId?.field ?? '']: situation.id ?? 0 });
    attempts.push(
      await observed(`${call.name} by root of a user namespace`, call.byId?.stranger ?? [], () =>
        child.agent.ioctl(fd, call.request, named),
      ),
    );
  }, byName);
  await child.exit();
  await expect(attempts).toEndAsExpected();
});

test('PRM-06 root of a user namespace of one’s own has no right to addresses', async ({ agent, ioctls }) => {
  const privileged = ioctls.calls.filter((call) => call.privileged !== undefined);
  test.skip(privileged.length === 0, 'no ioctl of this driver tells an address');
  const child = await agent.fork();
  const errno = await becomeRootOfOwnNamespace(child.agent);
  test.skip(errno !== undefined, `this kernel makes no user namespaces: ${errno}`);
  const attempts: Expectation[] = [];
  for (const call of privileged) {
    const situation = await call.prepare(agent);
    const passed = await child.give(situation.fd);
    await ioctls.with(call, async ({ argument }) => {
      attempts.push(
        await observed(`${call.name} by root of a user namespace`, call.privileged ?? [], () =>
          child.agent.ioctl(passed, call.request, argument()),
        ),
      );
    });
    await situation.end();
  }
  await expect(attempts).toEndAsExpected();
});

/** Calls that the rights to a buffer decide, and no capability. */
function decidedByRights({ calls }: Ioctls): IoctlCall[] {
  return calls.filter(
    ({ byId, privileged }) =>
      byId !== undefined &&
      privileged === undefined &&
      byId.stranger.every((errno) => !byId.missing.includes(errno)),
  );
}

/** What `who` may do with the names of buffers that somebody made. */
async function byName(
  made: Ioctls,
  calls: readonly IoctlCall[],
  who: Agent,
  device: string,
): Promise<Expectation[]> {
  const attempts: Expectation[] = [];
  await made.forEach(async ({ call, situation, argument }) => {
    const other = await who.open(device, 'rdwr');
    const named = argument({ [call.byId?.field ?? '']: situation.id ?? 0 });
    const trying = () => who.ioctl(other, call.request, named);
    attempts.push(await observed(`${call.name} with a buffer by its name`, ['success'], trying));
    await who.close(other);
  }, calls);
  return attempts;
}

/** Those of these files that the agent's user may read, with their text. */
async function readable(agent: Agent, files: readonly string[]): Promise<{ source: string; text: string }[]> {
  const read = files.map(async (source) => {
    const { ok } = await agent.attempt(() => agent.readText(source));
    return ok === undefined ? [] : [{ source, text: ok }];
  });
  return (await Promise.all(read)).flat();
}
