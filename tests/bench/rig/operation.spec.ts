// SPDX-License-Identifier: MIT
/**
 * One request to the agent, against one command over a shared SSH connection to the same guest. Two
 * ways to run a command over SSH are measured, OpenSSH with a control master and the rig's own channels;
 * the faster one is what the request is compared to. How the rig reaches the agent, and runs commands, is
 * the target's affair.
 */
import { expect, rigTest as test, timed } from '../../../fixtures/rig-bench.ts';
import { summarize } from '../../../harness/measure/statistics.ts';
import { agentOn } from './agent-on.ts';
import { OpenSsh } from './openssh.ts';
import { ownSsh } from './own-ssh.ts';

const SAMPLES = 31;
const TOGETHER = 50;
/** Each kind is measured over some 50 ms without a pause, so that what a command leaves to be cleaned up is its own cost. */
const IN_A_ROW = { request: TOGETHER, pipelined: 5, exec: 3, own: 3, openssh: 2 };

test('operation: a request to the agent against a command over a shared connection', async ({
  boot,
  cache,
  record,
}) => {
  const target = await boot();
  const agent = await agentOn(target, cache);
  const openssh = await OpenSsh.connect(target);
  const ssh = await ownSsh(target);
  const own = () => ssh.exec(['true']);
  const request = () => agent.request('pid');
  const pipelined = () => Promise.all(Array.from({ length: TOGETHER }, request));
  const exec = () => target.exec(['true']);
  const ways = { request, pipelined, exec, own, openssh: () => openssh.run(['true']) };
  const taken: Record<keyof typeof ways, number[]> = {
    request: [],
    pipelined: [],
    exec: [],
    own: [],
    openssh: [],
  };
  for (const work of Object.values(ways)) await work();
  for (let sample = 0; sample < SAMPLES; sample++) {
    for (const [name, times] of Object.entries(IN_A_ROW) as [keyof typeof ways, number][]) {
      const inARow = async () => {
        for (let one = 0; one < times; one++) await ways[name]();
      };
      taken[name].push((await timed(inARow)) / times);
    }
  }
  await openssh.close();
  await ssh.close();
  await agent.end();
  const stricter = summarize(taken.own).median < summarize(taken.openssh).median ? 'own' : 'openssh';
  const titles = { own: "exec over the rig's own SSH connection", openssh: 'ssh exec with a control master' };
  const baseline = { title: titles[stricter], samples: taken[stricter] };
  const common = { unit: 'ms', better: 'lower' } as const;
  expect(Math.min(...taken.request), 'a request takes time').toBeGreaterThan(0);
  await record(target.facts, {
    ...common,
    id: 'operation',
    title: 'one request and its answer',
    samples: taken.request,
    baseline,
  });
  await record(target.facts, {
    ...common,
    id: 'operation/exec',
    title: 'one command, as the rig runs it',
    samples: taken.exec,
    baseline,
  });
  await record(target.facts, {
    ...common,
    id: 'operation/pipelined',
    title: `one of ${TOGETHER} requests that travel together`,
    samples: taken.pipelined.map((each) => each / TOGETHER),
    baseline,
  });
});
