// SPDX-License-Identifier: MIT
/** RES-10: whom the memory of a buffer is charged to. Documentation/admin-guide/cgroup-v2.rst, memory. */
import { expect, orSkip, test, type Agent, type Buffers } from '../../fixtures/index.ts';

/** Of one buffer: many times what each processor charges ahead, 64 pages (mm/memcontrol.c: MEMCG_CHARGE_BATCH). */
const PAGES = 512;
const PIECES = { most: 8, least: 4 };

/** $1: where control groups are mounted, $2: one of them. */
const SET_UP_GROUP = `mkdir -p "$1" && mount -t cgroup2 none "$1" &&
echo +memory >"$1/cgroup.subtree_control" && mkdir -p "$2" && cat "$2/memory.current"`;

test('RES-10 a buffer is charged to a control group, or is not, as documented', async ({
  agent,
  buffers,
  target,
}) => {
  orSkip(target.externalMemory, 'control groups are set up only on machines that are thrown away');
  const group = '/tmp/bufrig-cgroup/one';
  const set = await target.exec(['sh', '-c', SET_UP_GROUP, 'sh', '/tmp/bufrig-cgroup', group]);
  test.skip(set.code !== 0, `this kernel has no control groups for memory: ${set.stderr.trim()}`);
  const charged = async () => Number(await agent.readText(`${group}/memory.current`));
  for (const memory of [undefined, ...(await memoriesOn(agent, buffers))]) {
    const child = await agent.fork();
    await agent.writeText(`${group}/cgroup.procs`, String(child.pid));
    const before = await charged();
    const pieces = await fill(child.agent, buffers.others({ agent: child.agent }), memory);
    const share = ((await charged()) - before) / (pieces * PAGES * agent.pageBytes);
    await child.exit();
    const what = `part of ${pieces} buffers that is charged, ${memory ?? 'of whatever memory'}`;
    if (buffers.promises.charged === true) expect(share, what).toBeGreaterThan(0.9);
    else expect(share, what).toBeLessThan(0.1);
  }
});

/** Makes and touches buffers; there may be room for fewer, but for some. @returns how many */
async function fill(agent: Agent, buffers: Buffers, memory: string | undefined): Promise<number> {
  for (let made = 0; made < PIECES.most; made++) {
    const { ok: buffer, errno } = await agent.attempt(() =>
      buffers.allocate({ bytes: PAGES * agent.pageBytes, memory }),
    );
    if (buffer === undefined) {
      expect(errno, 'why there are no more').toBe('ENOMEM');
      expect(made, `buffers there was room for, ${memory ?? 'of whatever memory'}`).toBeGreaterThanOrEqual(
        PIECES.least,
      );
      return made;
    }
    await (await buffer.map()).mapping.touch('write');
  }
  return PIECES.most;
}

/** What the driver takes memory from, as far as this machine has it. */
async function memoriesOn(agent: Agent, { promises }: Buffers): Promise<string[]> {
  const names: string[] = [];
  for (const [name, { absence }] of Object.entries(promises.memories))
    if ((await absence?.(agent)) === undefined) names.push(name);
  return names;
}
