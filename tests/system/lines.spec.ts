// SPDX-License-Identifier: MIT
/** The lines into a guest that runs: who is started beyond one cannot tell it from SSH. */
import { readFile } from 'node:fs/promises';
import { Agent } from '../../harness/agent/client.ts';
import { buildAgent } from '../../harness/build/program.ts';
import { Cache } from '../../harness/build/cache.ts';
import { Deadline } from '../../harness/deadline.ts';
import { settingsFrom } from '../../harness/settings.ts';
import { guests } from '../../harness/target/guests.ts';
import { openTarget } from '../../harness/target/open.ts';
import type { Target } from '../../harness/target/target.ts';
import { ownSsh } from '../bench/rig/own-ssh.ts';
import { projectFolder } from './rig-run.ts';
import { expect, test as base } from './system-test.ts';

const LIMIT = 300_000;

interface Guest {
  target: Target;
  /** Path there of the agent's program. */
  program: string;
}

const test = base.extend<{ guest: Guest }>({
  // oxlint-disable-next-line no-empty-pattern
  guest: async ({}, use) => {
    const settings = settingsFrom(process.env, projectFolder);
    const cache = new Cache(settings.cacheRoot, { onProgress: () => {} });
    const deadline = Deadline.in(LIMIT);
    const target = await openTarget(guests[0], { settings, cache, deadline, announce: () => {} });
    const program = await target.put(await readFile(await buildAgent(cache, 'arm64')), 'agent');
    await use({ target, program });
    await target.close();
  },
});

/** What a process could notice of who started it. */
const NOTICEABLE = ['limits', 'status', 'environ', 'cgroup', 'oom_score_adj', 'stat', 'coredump_filter'];
/** Lines of /proc/self/status that another process, or a later moment, has otherwise. */
const OWN =
  /^(Name|Pid|PPid|Tgid|Ngid|NS\w+|Vm\w+|Rss\w+|HugetlbPages|\w*ctxt_switches|Threads|SigQ|Speculation\w*):/;

async function look(agent: Agent): Promise<Record<string, unknown>> {
  const seen: Record<string, unknown> = {};
  for (const name of NOTICEABLE) seen[name] = await agent.readText(`/proc/self/${name}`);
  const status = String(seen['status']).split('\n');
  seen['status'] = status.filter((line) => !OWN.test(line));
  seen['environ'] = String(seen['environ'])
    .split('\0')
    // Who asks whom over SSH, which call it was, and what a shell has counted.
    .filter((variable) => !/^(SSH_|BUFRIG_PROCESS=|_=|PWD=|SHLVL=)/.test(variable))
    .toSorted();
  // proc_pid_stat(5): behind the name the terminal is the 5th, niceness the 17th.
  const stat = String(seen['stat']).split(') ')[1]?.split(' ') ?? [];
  seen['stat'] = { terminal: stat[4], niceness: stat[16] };
  seen['descriptors'] = (await agent.openFiles()).filter(({ file }) => !file.startsWith('/proc')).length;
  return seen;
}

async function files(agent: Agent): Promise<string[]> {
  return (await agent.openFiles()).map(({ file }) => file);
}

test('an agent is started over a line as over SSH', async ({ guest: { target, program } }) => {
  const deadline = Deadline.in(LIMIT);
  const near = await Agent.start(await target.start([program]), 'near', deadline, {
    patience: target.patience,
  });
  const ssh = await ownSsh(target);
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const far = await Agent.start(await ssh.start(['env', path, 'LC_ALL=C', program]), 'far', deadline, {
    patience: target.patience,
  });
  expect((await files(near))[0]).toMatch(/^\/dev\/vport/);
  expect((await files(far))[0]).toMatch(/^pipe:/);
  expect(await look(near)).toEqual(await look(far));
  await near.end();
  await far.end();
  await ssh.close();
});

test('many requests, large answers and many children come through', async ({
  guest: { target, program },
}) => {
  const agent = await Agent.start(await target.start([program]), 'agent', Deadline.in(LIMIT), {
    patience: target.patience,
  });
  for (let round = 0; round < 10; round++) {
    const answers = await Promise.all(
      Array.from({ length: 400 }, () => agent.request<{ pid: number }>('pid')),
    );
    expect(new Set(answers.map(({ pid }) => pid))).toEqual(new Set([agent.hello.pid]));
    const { verbs } = await agent.request<{ verbs: object[] }>('help');
    expect(verbs).toHaveLength(agent.hello.verbs.length);
    const children = await Promise.all(Array.from({ length: 8 }, () => agent.fork()));
    const endings = await Promise.all(children.map((child) => child.kill()));
    expect(endings.map(({ signal }) => signal)).toEqual(children.map(() => 'SIGKILL'));
  }
  await agent.end();
});

test('what is put and run there is the same by either way', async ({ guest: { target } }) => {
  for (const bytes of [0, 1, 5000, 900_000, 3_000_000]) {
    const content = Buffer.alloc(bytes, `${bytes} \n\0`);
    const path = await target.put(content, 'bytes');
    const { stdout } = await target.execOk(['wc', '-c', path]);
    expect(stdout.trim()).toBe(`${bytes} ${path}`);
  }
  const many = Array.from({ length: 12 }, (_, index) =>
    target.exec(['sh', '-c', `sleep 0.2; echo ${index}`]),
  );
  expect((await Promise.all(many)).map(({ stdout }) => stdout.trim())).toEqual(
    Array.from({ length: 12 }, (_, index) => String(index)),
  );
});
