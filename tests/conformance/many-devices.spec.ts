// SPDX-License-Identifier: MIT
/**
 * PWR-08: more devices than the driver has numbers for. It is given whatever platform devices the machine
 * has to spare (driver_override, Documentation/ABI/testing/sysfs-bus-platform).
 */
import { basename } from 'node:path';
import { expect, expectNoLostObjects, orSkip, test, type Agent } from '../../fixtures/index.ts';
import { moduleOf } from '../../harness/profile/loaded-driver.ts';
import type { Target } from '../../harness/target/target.ts';

const REFUSALS = 10;
const DEVICES = '/sys/bus/platform/devices';

test('PWR-08 a device for which there is no number is refused, until another one goes', async ({
  target,
  driver,
  agent,
  lifecycle,
}) => {
  const instances = orSkip(driver.profile.system.instances, 'the driver makes one device');
  const { devices, exceeded } = orSkip(
    instances.most,
    'the driver has a number for every device there can be',
  );
  const bus = instances.bindings[0].driver;
  await lifecycle.unload();
  const spare = await undriven(target, agent);
  await lifecycle.load([...moduleOf(driver.profile).parameters, ...instances.parameters]);
  const drivers = await bound(target, bus);
  const wanted = devices - drivers.length + 1;
  test.skip(spare.length < wanted, `the machine has ${spare.length} devices to spare, not ${wanted}`);
  const given = spare.slice(0, wanted);
  const bind = (name: string) => agent.writeText(`${bus}/bind`, name);
  try {
    for (const name of given) await agent.writeText(`${DEVICES}/${name}/driver_override`, basename(bus));
    const last = given.at(-1) ?? '';
    for (const name of given.slice(0, -1)) await bind(name);
    const refused = { description: 'one more device', run: () => bind(last) };
    await expect(refused).toFailWith(exceeded);
    // Refused again, so that nothing of the first time is in the way; and again, so that what each time leaves shows.
    await expect(refused).toFailWith(exceeded);
    await expectNoLostObjects(agent, REFUSALS, async () => {
      for (let refusal = 0; refusal < REFUSALS; refusal++) await agent.attempt(() => bind(last));
    });
    await agent.writeText(`${bus}/unbind`, given[0] ?? '');
    await bind(last);
    expect((await bound(target, bus)).length, 'devices').toBe(devices);
    for (const node of instances.nodes) await agent.close(await agent.open(node, 'rdwr'));
  } finally {
    for (const name of given) {
      await agent.attempt(() => agent.writeText(`${bus}/unbind`, name));
      await agent.writeText(`${DEVICES}/${name}/driver_override`, '\n');
    }
  }
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
