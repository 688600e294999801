// SPDX-License-Identifier: MIT
/**
 * PWR-08: more devices than the driver has numbers for. It is given whatever platform devices the machine
 * has to spare (driver_override, Documentation/ABI/testing/sysfs-bus-platform).
 */
import { basename } from 'node:path';
import { expect, expectNoLostObjects, orSkip, test as base, type Agent } from '../../fixtures/index.ts';
import { moduleOf } from '../../harness/profile/loaded-driver.ts';
import type { Target } from '../../harness/target/target.ts';

const REFUSALS = 10;
const DEVICES = '/sys/bus/platform/devices';

/** A driver that has as many devices as it has numbers for, and one that it has none for. */
interface Crowd {
  /** How many it can have, and how one more is refused. */
  devices: number;
  exceeded: readonly string[];
  /** Folder of the driver in sysfs. */
  bus: string;
  /** Names of those that it was given here, the one too many is the last. */
  given: readonly string[];
  last: string;
  bind(name: string): Promise<void>;
  /** Names of those that it has. */
  bound(): Promise<string[]>;
}

const test = base.extend<{ crowd: Crowd }>({
  crowd: async ({ target, driver, agent, lifecycle }, use) => {
    const instances = orSkip(driver.profile.system.instances, 'the driver makes one device');
    const { devices, exceeded } = orSkip(
      instances.most,
      'the driver has a number for every device there can be',
    );
    const bus = instances.bindings[0].driver;
    await lifecycle.unload();
    const spare = await undriven(target, agent);
    await lifecycle.load([...moduleOf(driver.profile).parameters, ...instances.parameters]);
    const wanted = devices - (await bound(target, bus)).length + 1;
    test.skip(spare.length < wanted, `the machine has ${spare.length} devices to spare, not ${wanted}`);
    const given = spare.slice(0, wanted);
    const last = given.at(-1) ?? '';
    const bind = (name: string) => agent.writeText(`${bus}/bind`, name);
    try {
      for (const name of given) await agent.writeText(`${DEVICES}/${name}/driver_override`, basename(bus));
      for (const name of given.slice(0, -1)) await bind(name);
      await use({ devices, exceeded, bus, given, last, bind, bound: () => bound(target, bus) });
    } finally {
      for (const name of given) {
        await agent.attempt(() => agent.writeText(`${bus}/unbind`, name));
        await agent.writeText(`${DEVICES}/${name}/driver_override`, '\n');
      }
    }
  },
});

test('PWR-08 a device for which there is no number is refused, until another one goes', async ({
  driver,
  agent,
  crowd,
}) => {
  const { exceeded, given, last, bus, bind } = crowd;
  const refused = { description: 'one more device', run: () => bind(last) };
  await expect(refused).toFailWith(exceeded);
  // Refused again, so that nothing of the first time is in the way.
  await expect(refused).toFailWith(exceeded);
  await agent.writeText(`${bus}/unbind`, given[0] ?? '');
  await bind(last);
  expect((await crowd.bound()).length, 'devices').toBe(crowd.devices);
  const { nodes = [] } = driver.profile.system.instances ?? {};
  for (const node of nodes) await agent.close(await agent.open(node, 'rdwr'));
});

test('PWR-08 nor does one that is refused leave anything among the kernel’s small objects', async ({
  agent,
  crowd,
}) => {
  await expectNoLostObjects(agent, REFUSALS, async () => {
    for (let refusal = 0; refusal < REFUSALS; refusal++) {
      const { errno } = await agent.attempt(() => crowd.bind(crowd.last));
      expect(crowd.exceeded, 'how one more device is refused').toContain(errno);
    }
  });
});

/** Names of the platform devices that no driver has. */
async function undriven(target: Target, agent: Agent): Promise<string[]> {
  const spare: string[] = [];
  for (const name of await list(target, DEVICES)) {
    const { ok: link } = await agent.attempt(() => agent.open(`${DEVICES}/${name}/driver`, 'rdonly,path'));
    if (link === undefined) spare.push(name);
    else await agent.close(link);
  }
  return spare;
}

/** Names of a driver's devices, which are links to them. */
async function bound(target: Target, driver: string): Promise<string[]> {
  const own = ['bind', 'unbind', 'uevent', 'module', 'new_id', 'remove_id'];
  return (await list(target, driver)).filter((name) => !own.includes(name));
}

async function list(target: Target, folder: string): Promise<string[]> {
  const { stdout } = await target.execOk(['ls', '-1', folder]);
  return stdout.split('\n').filter(Boolean);
}
