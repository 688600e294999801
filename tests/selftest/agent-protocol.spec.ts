// SPDX-License-Identifier: MIT
/** The wire: lines in order, nothing lost, nothing guessed, and no wait for ever. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from '../../harness/agent/client.ts';
import {
  AgentDied,
  AgentMute,
  AgentSilent,
  LinkLost,
  ProtocolError,
  RequestRefused,
  attempt,
} from '../../harness/agent/errors.ts';
import { startLocally } from '../../harness/agent/local.ts';
import { decodeMessage } from '../../harness/agent/message.ts';
import { Deadline } from '../../harness/deadline.ts';
import { LabError, TargetHang } from '../../harness/errors.ts';
import { run } from '../../harness/process.ts';
import type { RemoteProcess } from '../../harness/target/target.ts';
import { expect, failureOf, test } from './agent-on-host.ts';

test('greets with what a client must know', async ({ agent }) => {
  expect(agent.hello).toMatchObject({ name: 'bufrig-agent', protocol: 1, pointerBytes: 8 });
  expect(agent.pageBytes & (agent.pageBytes - 1)).toBe(0);
  expect(agent.hello.verbs).toContain('mmap');
});

test('may greet before anybody listens', async ({ agentProgram }) => {
  const agent = startLocally(agentProgram);
  const said: Buffer[] = [];
  const greeted = new Promise<void>((resolve) =>
    agent.onStdout((chunk) => {
      said.push(chunk);
      resolve();
    }),
  );
  await greeted;
  // As a link does that keeps what came early: the listener gets it at once.
  const early: RemoteProcess = {
    ...agent,
    onStdout: (listener) => {
      for (const chunk of said) listener(chunk);
      agent.onStdout(listener);
    },
  };
  const client = await Agent.start(early, 'this machine', Deadline.in(20_000));
  expect(client.hello.name).toBe('bufrig-agent');
  await client.end();
});

test('explains every verb it offers', async ({ agent }) => {
  const { verbs } = await agent.request<{ verbs: { verb: string; arguments: string; purpose: string }[] }>(
    'help',
  );
  expect(verbs.map(({ verb }) => verb)).toEqual(agent.hello.verbs);
  expect(new Set(agent.hello.verbs).size).toBe(verbs.length);
  for (const { purpose } of verbs) expect(purpose).not.toBe('');
});

test('answers thousands of requests in flight strictly in order', async ({ agent }) => {
  const memory = await agent.anonymous(agent.pageBytes);
  const answers = await Promise.all(
    Array.from({ length: 5000 }, async (_, index) => {
      if (index % 7 === 0) return await attempt(() => agent.close(1000 + index));
      if (index % 7 === 1) return await attempt(() => memory.part(1, 8).unmap());
      await memory.store(0, index);
      return Number(await memory.load(0));
    }),
  );
  const loads = answers.filter((answer) => typeof answer === 'number');
  // All stores were put before all loads: the client does not wait between them.
  expect(new Set(loads)).toEqual(new Set([4997]));
  for (const [index, answer] of answers.entries()) {
    if (index % 7 === 0) expect(answer).toEqual({ errno: 'EBADF' });
    if (index % 7 === 1) expect(answer).toEqual({ errno: 'EINVAL' });
  }
});

test('does not wedge a client that sends everything before it reads anything', async ({ agentProgram }) => {
  const child = spawn(agentProgram, { stdio: ['pipe', 'pipe', 'inherit'] });
  const requests = 2000;
  const sent = new Promise<void>((resolve) => {
    // Requests and answers are each far more than pipes and buffers hold.
    child.stdin.end(`help${' '.repeat(500)}\n`.repeat(requests), resolve);
  });
  await sent;
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  const numbers = text
    .trim()
    .split('\n')
    .map((line) => decodeMessage(line).n);
  expect(numbers).toEqual(Array.from({ length: requests + 1 }, (_, n) => n));
});

test('a signal that somebody sends in the midst of an answer has nothing said twice', async ({
  agentProgram,
}) => {
  const child = spawn(agentProgram, { stdio: ['pipe', 'pipe', 'ignore'] });
  const written = async () =>
    Number(/^wchar: (\d+)$/m.exec(await readFile(`/proc/${child.pid}/io`, 'utf8'))?.[1]);
  // The answers are more than is taken while nobody reads them.
  child.stdin.write('help\n'.repeat(100));
  await expect
    .poll(async () => {
      const before = await written();
      await sleep(50);
      return before > 32 * 1024 && (await written()) === before;
    })
    .toBe(true);
  child.kill('SIGBUS');
  const [said, [, signal]] = await Promise.all([child.stdout.toArray(), once(child, 'exit')]);
  expect(signal).toBe('SIGBUS');
  const numbers = said
    .join('')
    .split('\n')
    .slice(0, -1)
    .map((line) => decodeMessage(line).n);
  expect(numbers).toEqual(Array.from(numbers, (_, n) => n));
});

test('carries any file name', async ({ agent, folder }) => {
  const name = join(folder, 'with space, 100%, new\nline and ümläut');
  const fd = await agent.open(name, 'rdwr,create,exclusive');
  await agent.write(fd, Buffer.from('content'));
  expect(await agent.readText(name)).toBe('content');
  await agent.close(fd);
});

const refused: [request: string, reason: string][] = [
  ['', 'no such verb'],
  ['nonsense', 'no such verb'],
  ['MMAP 1', 'no such verb'],
  ['close', 'argument 1 is missing'],
  ['close 1 2', '2 arguments, at most 1'],
  ['close x', 'not a 64-bit number'],
  ['close 0x', 'not a 64-bit number'],
  ['close 1e3', 'not a 64-bit number'],
  ['close 4294967296', 'not a 32-bit number'],
  ['store 0 8 18446744073709551616', 'not a 64-bit number'],
  ['store 0 8 -9223372036854775809', 'not a 64-bit number'],
  ['store 0 1 256', 'wider than 1 bytes'],
  ['load 0 3', 'the width is'],
  ['fill 0xffffffffffffffff 2 0', 'wraps around'],
  ['open /%zz rdonly', 'not well encoded'],
  ['open /%00 rdonly', 'not well encoded'],
  ['open / rdonly,sideways', 'unknown name sideways'],
  ['poke 0 abc', 'half a byte'],
  ['poke 0 ag', 'not hexadecimal'],
  ['sign 0 1 0', 'a nonce is not 0'],
  ['verify-pattern 0 12 1', 'whole words'],
  ['child 1 pid', 'there is no child 1'],
  ['send-fd parent 1', 'no parent'],
  [`close ${'1 '.repeat(70)}`, 'more than 64 arguments'],
];

test('refuses what it does not understand, says why, and does none of it', async ({ agentProgram }) => {
  const input = `${refused.map(([request]) => request).join('\n')}\n`;
  const { stdout, code } = await run([agentProgram], { input });
  const answers = stdout.trim().split('\n').slice(1);
  expect(code).toBe(0);
  expect(answers).toHaveLength(refused.length);
  for (const [index, [request, reason]] of refused.entries()) {
    const answer = decodeMessage(answers[index] ?? '');
    expect(answer.n, request).toBe(index + 1);
    expect(answer.usage, request).toContain(reason);
  }
});

test('a refusal is no fact about the target', async ({ agent }) => {
  await expect(attempt(() => agent.request('close'))).rejects.toThrow(RequestRefused);
});

test('takes no last line that may have been cut off', async ({ agentProgram, folder }) => {
  const path = join(folder, 'made');
  const { stdout, code } = await run([agentProgram], {
    input: `open ${path} rdwr,create\nopen ${path}-2 rdwr,create`,
  });
  expect(code).toBe(0);
  expect(stdout.trim().split('\n')).toHaveLength(2);
});

test('lines typed by hand may end with a carriage return', async ({ agentProgram }) => {
  const { stdout } = await run([agentProgram], { input: 'pid\r\n' });
  expect(stdout).toMatch(/\{"n":1,"ok":\{"pid":\d+/);
});

test('keeps the last thirty requests with their outcomes', async ({ agent }) => {
  await Promise.all(Array.from({ length: 40 }, () => agent.request('pid')));
  await attempt(() => agent.close(77));
  const history = agent.history();
  expect(history).toHaveLength(30);
  expect(history[0]).toMatch(/^pid -> ok, [\d.]+ ms$/);
  expect(history.at(-1)).toMatch(/^close 77 -> close: EBADF, [\d.]+ ms$/);
});

test('an error points at the line of the test that made the request', async ({ agent }) => {
  const error = await failureOf(agent.close(77));
  expect(error.stack).toContain('agent-protocol.spec.ts');
});

test('an error that nobody looks at has no stack put together', async ({ agent }) => {
  const { prepareStackTrace } = Error;
  let frames = 0;
  Error.prepareStackTrace = (error, calls) => {
    frames += calls.length;
    return prepareStackTrace?.(error, calls);
  };
  // What expects has a stack of its own put together, so it comes afterwards.
  const [ignored, read] = await (async () => {
    await attempt(() => agent.close(77));
    const before = frames;
    const { stack } = await failureOf(agent.close(77));
    return [before, stack === undefined ? 0 : frames - before];
  })().finally(() => (Error.prepareStackTrace = prepareStackTrace));
  expect(ignored).toBe(0);
  expect(read).toBeGreaterThan(0);
});

test('the end of its input is its end', async ({ startAgent }) => {
  const { agent } = await startAgent();
  await agent.end();
  await expect(agent.request('pid')).rejects.toThrow(AgentDied);
});

test('killed in the middle: everything pending is told, and everything later', async ({ startAgent }) => {
  const { agent, kill } = await startAgent();
  const hanging = agent.request('sleep-ms', 600_000);
  const behind = agent.request('pid');
  kill();
  const error = await failureOf(hanging);
  expect(error).toBeInstanceOf(AgentDied);
  expect(error).toBeInstanceOf(LabError);
  expect(error.message).toContain('on this machine ended (SIGKILL), no answer yet to: sleep-ms');
  await expect(behind).rejects.toBe(error);
  await expect(agent.request('pid')).rejects.toBe(error);
  await expect(agent.end()).rejects.toThrow(AgentDied);
});

test('a fault of its own ends it with last words, and loses no finished answer', async ({ startAgent }) => {
  const { agent } = await startAgent();
  const { pid } = agent.hello;
  expect(pid).toBeGreaterThan(1);
  const before = agent.request<{ pid: number }>('pid');
  const fatal = agent.request('syscall', 'kill', pid, 11);
  expect((await before).pid).toBe(pid);
  const error = await failureOf(fatal);
  expect(error).toBeInstanceOf(AgentDied);
  expect(error.message).toContain('ended (SIGSEGV)');
  expect(error.message).toContain('while serving: syscall');
});

test('a request that takes too long breaks the wire, and the first cause is repeated', async ({
  startAgent,
}) => {
  const { agent } = await startAgent();
  const error = await failureOf(agent.allowing(200).request('sleep-ms', 600_000));
  expect(error).toBeInstanceOf(AgentSilent);
  expect(error).toBeInstanceOf(TargetHang);
  expect(error.message).toContain('in 0.2 s, no answer yet to: sleep-ms');
  await expect(agent.request('pid')).rejects.toBe(error);
});

test('a request that waits does not hold back the answers before it', async ({ startAgent }) => {
  const { agent, kill } = await startAgent();
  const before = agent.request('pid');
  const waiting = agent.request('sleep-ms', 600_000);
  expect(await before).toHaveProperty('pid', agent.hello.pid);
  kill();
  await expect(waiting).rejects.toThrow(AgentDied);
});

test('the time of a request begins when the agent comes to it', async ({ agent }) => {
  const patient = agent.allowing(1000);
  await Promise.all(Array.from({ length: 8 }, () => patient.request('sleep-ms', 200)));
});

const HELLO = '{"n":0,"ok":{"name":"bufrig-agent","protocol":1,"pageBytes":4096,"verbs":[]}}';

const strangers: [what: string, script: string, message: string][] = [
  ['garbage', `echo '${HELLO}'; read line; echo 'Segmentation fault'`, 'not JSON: Segmentation fault'],
  ['no answer', `echo '${HELLO}'; read line; echo '{"ok":{}}'`, 'no answer'],
  [
    'an answer to something else',
    `echo '${HELLO}'; read line; echo '{"n":2,"ok":{}}'`,
    'not the one to request 1',
  ],
  [
    'an answer nobody asked for',
    `echo '${HELLO}'; echo '{"n":1,"ok":{}}'; read line`,
    'not the one to request 1',
  ],
];

for (const [what, script, message] of strangers) {
  test(`${what} on the wire is a protocol error`, async ({ startAgent }) => {
    const { agent } = await startAgent('/bin/sh', ['-c', script]);
    // The unasked line may come before the request or after it.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const error = await failureOf(agent.request('pid'));
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error.message).toContain(message);
  });
}

test('another protocol, another program, no program', async ({ startAgent, folder }) => {
  await expect(
    startAgent('/bin/sh', ['-c', `echo '${HELLO.replace(':1,', ':9,')}'; read line`]),
  ).rejects.toThrow(/with protocol 9, this client speaks 1/);
  await expect(startAgent('/bin/echo', ['Welcome to Linux'])).rejects.toThrow(/not JSON: Welcome to Linux/);
  await expect(startAgent('/bin/sh', ['-c', 'echo no such file >&2; exit 127'])).rejects.toThrow(
    /exit code 127.*no such file/s,
  );
  await expect(startAgent(join(folder, 'missing'))).rejects.toThrow(LinkLost);
});

test('who is told to hurry waits no longer for what was asked before, nor for what is asked then', async ({
  startAgent,
}) => {
  const { agent } = await startAgent('/bin/sh', ['-c', `echo '${HELLO}'; exec sleep 20`]);
  const asked = failureOf(agent.request('pid'));
  agent.hurry(150);
  agent.hurry(60_000); // never back to longer
  expect(await asked).toBeInstanceOf(AgentSilent);
  expect((await failureOf(agent.request('pid'))).message).toMatch(/no answer .* in 0\.\d s/);
  await expect(agent.end()).rejects.toThrow(/does not end/);
});

test('a program that never greets is given up at the deadline, and nobody says that the target hangs', async () => {
  const process = startLocally('/bin/sh', ['-c', 'echo no room >&2; read line']);
  const error = await failureOf(Agent.start(process, 'mute', Deadline.in(200)));
  expect(error).toBeInstanceOf(AgentMute);
  expect(error).toBeInstanceOf(LabError);
  expect(error.message).toMatch(/^the agent on mute did not greet in 0\.2 s\nIts last words:\nno room\n/);
  expect(await process.ended, 'its input has ended').toEqual({ code: 1, signal: null });
});

test('files: positions, text, limits', async ({ agent, folder }) => {
  const path = join(folder, 'file');
  await writeFile(path, 'line one\n"two" \\ \u0001');
  const fd = await agent.open(path, 'rdwr');
  expect(await agent.readText(path)).toBe('line one\n"two" \\ \u0001');
  expect((await agent.read(fd, 4)).toString()).toBe('line');
  expect((await agent.read(fd, 3, 5)).toString()).toBe('one');
  expect(await agent.seek(fd, 0, 'current')).toBe(4n);
  expect(await agent.write(fd, Buffer.from('LINE'), 0)).toBe(4);
  expect(await agent.request('cat', path, 4)).toEqual({ whole: false, text: 'LINE' });
  expect(await agent.openFiles()).toContainEqual({ fd, file: path });
  expect(await attempt(() => agent.open(join(folder, 'none'), 'rdonly'))).toEqual({ errno: 'ENOENT' });
  await agent.close(fd);
  expect((await agent.openFiles()).map((entry) => entry.fd)).not.toContain(fd);
});

test('a limit that is lowered is met by the next descriptor', async ({ agent }) => {
  expect(await agent.request('rlimit', 'nofile', 20)).toHaveProperty('hard');
  const results = await Promise.all(Array.from({ length: 20 }, () => attempt(() => agent.dup(0))));
  expect(results.at(-1)).toEqual({ errno: 'EMFILE' });
  expect(Math.max(...results.map(({ ok }) => ok ?? 0))).toBe(19);
});
