// SPDX-License-Identifier: MIT
/**
 * SRC: what can be said about a driver without running it. That it compiles with W=1 without a warning
 * is said by every run: a driver that does not is not loaded.
 */
import { architectureOfMachine } from '../../harness/build/architectures.ts';
import { buildModule } from '../../harness/build/module.ts';
import { run } from '../../harness/process.ts';
import { expect, test } from '../../fixtures/index.ts';

test('SRC-01 sparse finds nothing in the driver, as it is built for this kernel', async ({
  cache,
  driver,
  target,
}) => {
  // A build takes 10 s on an idle machine.
  test.setTimeout(600_000);
  const { kernelTree, facts } = target;
  if (kernelTree.where === 'target') return test.skip(true, 'this driver is built on the board');
  const sparse = await run(['sparse', '--version']).catch(() => undefined);
  test.skip(sparse?.code !== 0, 'sparse is not installed on this machine: apt-get install sparse');
  const { source, headers } = driver.profile.module;
  const architecture = architectureOfMachine(facts.machine);
  // One warning fails the build.
  const { log } = await buildModule(cache, {
    source,
    extraSources: headers,
    architecture,
    tree: kernelTree,
    sparse: true,
  });
  expect(log.match(/^ +CHECK /gm)?.length, 'files that sparse looked at').toBeGreaterThan(0);
});
