// SPDX-License-Identifier: MIT
/** Lines into a guest: the real agent behind a socket in a port's place, and what is made of what it says. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from '../../harness/agent/client.ts';
import { Deadline } from '../../harness/deadline.ts';
import { LabError } from '../../harness/errors.ts';
import { LINES, Lines, lineSocket } from '../../harness/target/qemu/lines.ts';
import { Line, type Call } from '../../harness/target/qemu/line.ts';
import { Frames } from '../../harness/target/qemu/line-frames.ts';
import { test as base, expect, failureOf } from './agent-on-host.ts';

const environment = { HOME: '/', PATH: '/usr/bin:/bin', MARK: 'x y' };
const within = () => Deadline.in(20_000);

/** Ports of a guest that is not there: a socket and an agent behind it for each. */
interface Ports {
  file(name: string): string;
  /** Breaks them all. */
  cut(): void;
}

const test = base.extend<{ ports: (wanted: number) => Promise<Ports>; far: { line: Line; cut: () => void } }>(
  {
    // QEMU's part: what comes in on its socket goes to the port, which is another socket here.
    ports: async ({ agentProgram }, use) => {
      const folder = await mkdtemp(join(tmpdir(), 'bufrig-line-'));
      const [agents, servers]: [(() => void)[], Server[]] = [[], []];
      const cut = (): void => agents.forEach((end) => end());
      await use(async (wanted) => {
        for (let number = 1; number <= wanted; number++) {
          const agent = spawn('sh', ['-c', 'exec "$0" line <&3 3<&-', agentProgram], {
            stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
          });
          const port = agent.stdio[3] as Socket;
          agents.push(() => port.destroy());
          servers.push(
            createServer((host) => connectBoth(host, port)).listen(join(folder, lineSocket(number))),
          );
        }
        return { file: (name) => join(folder, name), cut };
      });
      cut();
      for (const server of servers) server.close();
      await rm(folder, { recursive: true });
    },

    far: async ({ ports }, use) => {
      const { file, cut } = await ports(1);
      const line = await Line.connect(file(lineSocket(1)), 'this machine: line 1');
      await line.whenReady;
      await use({ line, cut });
    },
  },
);

/** Either side ends with the other. */
function connectBoth(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => {});
    from.on('close', () => to.destroy());
    from.pipe(to);
  }
}

async function result(call: Call) {
  const said = { out: '', err: '' };
  call.onStdout((chunk) => (said.out += chunk.toString('latin1')));
  call.onStderr((chunk) => (said.err += chunk.toString('latin1')));
  return { ...(await call.ended), ...said };
}

/** A shell script to its end; binary text. */
const run = (line: Line, script: string, input = '') =>
  result(
    line.start({ argv: ['sh', '-c', script, 'sh', 'a b', ''], environment }, Buffer.from(input, 'latin1')),
  );

const start = (line: Line, agentProgram: string) => line.start({ argv: [agentProgram], environment });

/** Output that comes in pieces is one line here. */
function heard(pieces: readonly Buffer[]): string[] {
  const told: string[] = [];
  const frames = new Frames({
    output: (stream, chunk) => {
      const more = told.at(-1)?.startsWith(`${stream} `) === true;
      const before = more ? told.pop() : `${stream} `;
      told.push(`${before}${chunk.toString('latin1')}`);
    },
    ready: () => told.push('ready'),
    ended: ({ code, signal }) => told.push(`end ${code} ${signal}`),
  });
  for (const piece of pieces) frames.feed(piece);
  return told;
}

test.describe('a command', () => {
  test('has its arguments, its environment and nothing else, and its output is told apart', async ({
    far,
  }) => {
    const script = 'printf "%s|" "$@" "$MARK" "$HOME" "$(pwd)"; env | wc -l; echo no >&2; exit 3';
    const { out, ...rest } = await run(far.line, script);
    expect(out).toMatch(/^a b\|\|x y\|\/\|\/\|\d+\n$/);
    expect(rest).toEqual({ code: 3, signal: null, err: 'no\n' });
  });

  test('reads every byte of its input, and writes every byte, NULs too', async ({ far }) => {
    const bytes = Buffer.alloc(300_000, Buffer.from([0, 10, 4, 255, 65])).toString('latin1');
    expect(await run(far.line, 'cat', bytes)).toEqual({ code: 0, signal: null, out: bytes, err: '' });
  });

  test('need not read its input; the next call finds none of it', async ({ far }) => {
    expect(await run(far.line, 'exec <&-; sleep 0.1; echo done', 'x'.repeat(500_000))).toMatchObject({
      code: 0,
      out: 'done\n',
    });
    await expect.poll(() => far.line.free).toBe(true);
    expect(await run(far.line, 'cat')).toMatchObject({ code: 0, out: '' });
  });

  test('that is killed is told by its signal, and one that is not there by its name', async ({ far }) => {
    expect(await run(far.line, 'kill -9 $$')).toMatchObject({ code: null, signal: 'SIGKILL' });
    await expect.poll(() => far.line.free).toBe(true);
    const absent = far.line.start({ argv: ['/no/such'], environment }, Buffer.alloc(0));
    expect(await result(absent)).toMatchObject({
      code: 127,
      err: 'agent: /no/such: No such file or directory\n',
    });
  });

  test('is over when its output is, as over SSH', async ({ far }) => {
    expect(await run(far.line, '(sleep 0.3; echo late) & echo early')).toMatchObject({
      out: 'early\nlate\n',
    });
  });

  test('starts with signals as they are by default', async ({ far }) => {
    const { out } = await run(far.line, 'grep -E "^Sig(Blk|Ign)" /proc/self/status');
    expect(out.replaceAll(/\s+/g, ' ')).toBe('SigBlk: 0000000000000000 SigIgn: 0000000000000000 ');
  });

  test('that is given up is killed, and what it started', async ({ far }) => {
    const call = far.line.start(
      { argv: ['sh', '-c', 'sleep 1000 & echo $!; wait'], environment },
      Buffer.alloc(0),
    );
    const pid = await new Promise<string>((resolve) =>
      call.onStdout((chunk) => resolve(String(chunk).trim())),
    );
    call.abandon();
    await expect(call.ended).rejects.toMatchObject({ code: 'LINK_LOST' });
    await expect.poll(() => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone')).toMatch(/gone|\) Z /);
    expect(far.line.free).toBe(false);
  });
});

test.describe('an agent', () => {
  test('answers, and ends well when its input is ended; then comes the next', async ({
    far,
    agentProgram,
  }) => {
    const opened: number[] = [];
    for (const time of [1, 2]) {
      const agent = await Agent.start(start(far.line, agentProgram), `agent ${time}`, within());
      expect(await agent.request('pid')).toMatchObject({ uid: process.getuid?.() });
      const files = await agent.openFiles();
      const port = files.find(({ fd }) => fd === 0)?.file;
      expect(files.filter(({ file }) => file === port).map(({ fd }) => fd)).toEqual([0, 1]);
      // Whoever runs these tests may have left descriptors open for everyone.
      opened.push(files.length);
      expect(far.line.free).toBe(false);
      await agent.end();
      await expect.poll(() => far.line.free).toBe(true);
    }
    expect(opened[1]).toBe(opened[0]);
  });

  test('that is killed has died, and the link stands', async ({ far, agentProgram }) => {
    const agent = await Agent.start(start(far.line, agentProgram), 'agent', within());
    process.kill(agent.hello.pid, 'SIGKILL');
    const failure = await failureOf(agent.request('sleep-ms', 60_000));
    expect(failure).toMatchObject({ code: 'AGENT_DIED', message: expect.stringContaining('SIGKILL') });
    await expect.poll(() => far.line.free).toBe(true);
    // What it was asked for and did not read is nobody else's.
    const next = await Agent.start(start(far.line, agentProgram), 'the next agent', within());
    expect(await next.request('pid')).toMatchObject({ uid: process.getuid?.() });
    await next.end();
  });

  test('has its last complaints told with its end', async ({ far }) => {
    const script = 'head -c 10000 /dev/zero | tr "\\0" x >&2; echo last words >&2; exit 9';
    const call = far.line.start({ argv: ['sh', '-c', script], environment });
    const { code, err } = await result(call);
    expect({ code, bytes: err.length, end: err.slice(-12) }).toEqual({
      code: 9,
      bytes: 4096,
      end: 'xlast words\n',
    });
  });

  test('whose line is cut is not dead: the link is lost', async ({ far, agentProgram }) => {
    const agent = await Agent.start(start(far.line, agentProgram), 'agent', within());
    const failure = failureOf(agent.request('sleep-ms', 60_000));
    far.cut();
    expect(await failure).toMatchObject({
      code: 'LINK_LOST',
      message: expect.stringContaining('line 1 into the guest is gone'),
    });
    expect(far.line.free).toBe(false);
    await expect
      .poll(() => readFile(`/proc/${agent.hello.pid}/stat`, 'utf8').catch(() => 'gone'))
      .toMatch(/gone|\) Z /);
  });
});

test.describe('the lines of a guest', () => {
  test('agents leave one for commands; who finds none goes another way', async ({ ports, agentProgram }) => {
    const lines = await Lines.connect('guest', agentProgram, await ports(LINES));
    const call = { argv: [agentProgram], environment };
    await lines.answer(within());
    const agents = Array.from({ length: LINES - 1 }, () => lines.start(call.argv, environment));
    expect(agents.every((agent) => agent !== undefined)).toBe(true);
    expect(lines.start(call.argv, environment)).toBeUndefined();
    const slow = lines.exec(['sleep', '1000'], environment, { deadline: Deadline.in(300) });
    expect(lines.exec(['true'], environment, {})).toBeUndefined();
    expect(await failureOf(slow ?? Promise.resolve())).toMatchObject({ code: 'DEADLINE' });
    const lost = new LabError('LINK_LOST', 'the keepalive');
    lines.lose(lost);
    for (const agent of agents) expect(await failureOf(agent?.ended ?? Promise.resolve())).toBe(lost);
  });
});

test.describe('what a line says', () => {
  const said = Buffer.from(
    '\0ready\n{"n":0}\n\0end SIGSEGV 3\na\0b\0ready\n\0out 2\n\0\n\0err 1\nx\0end 7 0\n',
    'latin1',
  );
  const meant = [
    'ready',
    'out {"n":0}\n',
    'err a\0b',
    'end null SIGSEGV',
    'ready',
    'out \0\n',
    'err x',
    'end 7 null',
  ];

  test('means the same however it is cut', () => {
    expect(heard([said])).toEqual(meant);
    for (let at = 1; at < said.length; at++)
      expect(heard([said.subarray(0, at), said.subarray(at)]), `cut at ${at}`).toEqual(meant);
    expect(heard(Array.from(said, (byte) => Buffer.from([byte])))).toEqual(meant);
  });

  for (const nonsense of ['\0what\n', '\0end\n', '\0end SIGNOPE 0\n', '\0out x\n', `\0${'y'.repeat(80)}`])
    test(`${JSON.stringify(nonsense).slice(0, 20)} means nothing and breaks the line`, () => {
      expect(() => heard([Buffer.from(nonsense)])).toThrow(/means nothing/);
    });
});
