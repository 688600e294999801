// SPDX-License-Identifier: MIT
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, expect } from '@playwright/test';
import { Deadline } from '../../harness/deadline.ts';
import { LabError } from '../../harness/errors.ts';
import { putScript } from '../../harness/target/ssh/scripts.ts';
import { openSshTarget, type SshOptions } from '../../harness/target/ssh/target.ts';
import type { Target } from '../../harness/target/target.ts';
import { Board, noBoard, type BoardChoice } from './ssh-board.ts';

interface Lab {
  board: (choice?: BoardChoice) => Promise<Board>;
  /** A target on a board; closed at the end unless the test did. */
  open: (board: Board, more?: Partial<SshOptions>) => Promise<Target>;
}

const test = base.extend<{ lab: Lab; tree: string }>({
  /** A build tree on this machine, as far as the ssh target looks at one. */
  tree: async ({}, use) => {
    const tree = test.info().outputPath('tree');
    await mkdir(tree, { recursive: true });
    await writeFile(join(tree, 'Makefile'), '');
    await use(tree);
  },
  lab: async ({ tree }, use) => {
    const ends: Array<() => Promise<void>> = [];
    await use({
      board: async (choice) => {
        // Not in the test's output folder, which may be a mount without set-user-id programs.
        const directory = await mkdtemp(join(tmpdir(), 'bufrig-board-'));
        ends.unshift(() => rm(directory, { recursive: true, force: true }));
        const board = await Board.make(directory, choice);
        ends.unshift(() => board.close());
        return board;
      },
      open: async (board, more) => {
        const target = await openSshTarget(
          { ...board.options, kernelTree: { where: 'host', directory: tree }, ...more },
          Deadline.in(30_000),
        );
        ends.unshift(() => target.close());
        return target;
      },
    });
    for (const end of ends) await end();
  },
});

test.skip(noBoard !== undefined, noBoard ?? '');

/** The error of opening, which there must be. */
async function trouble(opening: Promise<Target>): Promise<LabError> {
  const result = await opening.catch((error: unknown) => error);
  if (result instanceof LabError) return result;
  throw new Error(`a LabError was expected, not ${String(result)}`);
}

/** Processes on this machine, boards included, that carry the mark of a rig's directory. */
function processesOf(directory: string): string[] {
  return readdirSync('/proc').filter((id) => {
    try {
      return (
        /^\d+$/.test(id) &&
        readFileSync(`/proc/${id}/environ`, 'latin1').includes(`BUFRIG_PROCESS=${directory}/`)
      );
    } catch {
      return false;
    }
  });
}

const asUser = (board: Board, user: string) => ({ address: { ...board.options.address, user } });

for (const server of ['dropbear', 'openssh'] as const) {
  for (const user of ['root', 'tester'] as const) {
    test(`${server}, as ${user}: commands, files and processes, and nothing is left`, async ({ lab }) => {
      const board = await lab.board({ server, sudo: user !== 'root' });
      const target = await lab.open(board, asUser(board, user));
      expect(await board.tmp()).toEqual([target.directory.slice('/tmp/'.length)]);

      const hard = ["it's", '$HOME', 'a\nb', ''];
      const said = await target.execOk(['printf', '[%s]', ...hard]);
      expect(said.stdout).toBe(hard.map((word) => `[${word}]`).join(''));
      expect((await target.exec(['id', '-u'])).stdout).toBe('0\n');
      expect(await target.exec(['sh', '-c', 'exit 7'])).toMatchObject({ code: 7, signal: null });
      expect(await target.exec(['sh', '-c', 'kill -KILL $$'])).toMatchObject({
        code: null,
        signal: 'SIGKILL',
      });
      expect((await target.exec(['insmod', '/nonexistent'])).stderr).toContain('/nonexistent');

      const program = await target.put(Buffer.from('#!/bin/sh\necho "I am $(id -un)"\n'), 'whoami');
      expect((await target.execOk([program])).stdout).toBe('I am root\n');

      const echo = await target.start(['cat']);
      const lines: string[] = [];
      echo.onStdout((chunk) => lines.push(chunk.toString()));
      echo.write('ping\n');
      await expect.poll(() => lines.join('')).toBe('ping\n');
      const stubborn = await target.start(['sh', '-c', 'sleep 1000 & exec sleep 1001']);
      await expect.poll(() => processesOf(target.directory).length).toBeGreaterThanOrEqual(3);

      await target.close();
      await target.close();
      expect(await echo.ended).toEqual({ code: 0, signal: null });
      expect(await stubborn.ended).toEqual({ code: null, signal: 'SIGKILL' });
      expect(await board.tmp()).toEqual([]);
      expect(processesOf(target.directory)).toEqual([]);
    });

    test(`${server}, as ${user}: nothing is left when the rig is killed`, async ({ lab, tree }) => {
      const board = await lab.board({ server, sudo: user !== 'root' });
      const options = {
        ...board.options,
        ...asUser(board, user),
        kernelTree: { where: 'host', directory: tree },
      };
      const client = join(import.meta.dirname, 'ssh-client.ts');
      const rig = spawn(process.execPath, ['--import', 'tsx', client, JSON.stringify(options)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const directory = await new Promise<string>((resolve, reject) => {
        rig.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
        rig.once('exit', (code) => reject(new Error(`the rig ended with ${code}`)));
      });
      expect(processesOf(directory).length).toBeGreaterThanOrEqual(2);
      expect(await board.tmp()).toHaveLength(1);
      rig.kill('SIGKILL');
      await expect.poll(() => board.tmp()).toEqual([]);
      await expect.poll(() => processesOf(directory)).toEqual([]);
    });
  }

  test(`${server}: many commands at once, and more output than one window holds`, async ({ lab }) => {
    const target = await lab.open(await lab.board({ server }));
    const results = await Promise.all(
      Array.from({ length: 24 }, (_, index) => target.execOk(['echo', `${index}`])),
    );
    expect(results.map(({ stdout }) => Number(stdout))).toEqual(
      Array.from({ length: 24 }, (_, index) => index),
    );
    const flood = 'dd if=/dev/zero bs=1024 count=5120 2>/dev/null | tr "\\000" x';
    const both = await target.execOk(['sh', '-c', `${flood}; { ${flood}; } >&2`]);
    expect([both.stdout.length, both.stderr.length]).toEqual([5 * 1024 * 1024, 5 * 1024 * 1024]);
  });

  test(`${server}: processes that come and go do not disturb commands`, async ({ lab }) => {
    const target = await lab.open(await lab.board({ server }));
    for (let round = 0; round < 30; round += 1) {
      const short = await target.start(['cat']);
      short.end();
      const [one, two] = await Promise.all([target.exec(['true']), target.exec(['false'])]);
      expect([one.code, two.code]).toEqual([0, 1]);
      expect(await short.ended).toEqual({ code: 0, signal: null });
    }
  });
}

test('facts come from a busybox userland', async ({ lab }) => {
  const board = await lab.board();
  const { facts } = await lab.open(board);
  expect(facts).toMatchObject({
    name: 'board',
    kernelRelease: execFileSync('uname', ['-r']).toString().trim(),
    machine: execFileSync('uname', ['-m']).toString().trim(),
    pageBytes: Number(execFileSync('getconf', ['PAGESIZE']).toString()),
    bootId: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    details: { 'SSH server': expect.stringContaining('dropbear') },
  });
  expect(existsSync(join(board.root, 'usr/bin/getconf'))).toBe(false);
});

test('a file is sent once, whole, and into a name of its content', async ({ lab }) => {
  const board = await lab.board();
  const target = await lab.open(board);
  const content = randomBytes(3 * 1024 * 1024 + 1);
  const [path, again] = await Promise.all([target.put(content, 'blob'), target.put(content, 'blob')]);
  const other = await target.put(Buffer.from('other'), 'blob');
  expect(again).toBe(path);
  expect(other).not.toBe(path);
  expect((await readFile(join(board.root, path))).equals(content)).toBe(true);
  await expect(target.put(content, '../blob')).rejects.toMatchObject({ code: 'ARGUMENT' });
});

test('putting a file needs no sha256sum, and notices what is cut short or changed', async () => {
  // The board's shell has busybox's programs built in; this one finds only these.
  const bin = test.info().outputPath('bin');
  await mkdir(bin, { recursive: true });
  const have = (name: string): Promise<void> =>
    symlink(execFileSync('which', [name]).toString().trim(), join(bin, name));
  for (const name of ['dd', 'wc', 'rm', 'chmod', 'mv']) await have(name);
  const put = (name: string, content: string, bytes: number, sha256: string) => {
    const [shell = '', ...rest] = putScript(test.info().outputPath(name), bytes, sha256);
    return spawnSync(`/bin/${shell}`, rest, { input: content, env: { PATH: bin }, encoding: 'utf8' });
  };
  const sum = createHash('sha256').update('content').digest('hex');
  expect(put('file', 'content', 7, 'unchecked').status).toBe(0);
  expect(await readFile(test.info().outputPath('file'), 'utf8')).toBe('content');
  expect(put('short', 'conten', 7, sum)).toMatchObject({ status: 1, stderr: '6 of 7 bytes arrived\n' });
  await have('sha256sum');
  expect(put('whole', 'content', 7, sum).status).toBe(0);
  expect(put('changed', 'c0ntent', 7, sum)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('changed'),
  });
  expect((await readdir(test.info().outputDir)).toSorted()).toEqual(['bin', 'file', 'whole']);
});

test('a command that is given up is also killed', async ({ lab }) => {
  const target = await lab.open(await lab.board());
  const hanging = target.exec(['sh', '-c', 'sleep 1000; true'], { deadline: Deadline.in(300) });
  await expect(hanging).rejects.toMatchObject({ code: 'DEADLINE' });
  await expect.poll(() => processesOf(target.directory)).toEqual([]);
  expect((await target.exec(['true'])).code).toBe(0);
});

test('a command that fails says so with target, command and its words', async ({ lab }) => {
  const target = await lab.open(await lab.board());
  await expect(target.execOk(['cat', '/nonexistent'])).rejects.toThrow(
    /board \(ssh:\/\/root@127\.0\.0\.1:\d+\): cat \/nonexistent exited with 1:\ncat: .*No such file/,
  );
});

test('the file at-end is run before the directory goes', async ({ lab }) => {
  const board = await lab.board();
  const target = await lab.open(board);
  await target.execOk(['sh', '-c', 'echo "echo was here >/run/trace" >"$1/at-end"', 'sh', target.directory]);
  await target.close();
  expect(await readFile(join(board.root, 'run/trace'), 'utf8')).toBe('was here\n');
  expect(await board.tmp()).toEqual([]);
});

test('what is mounted in the directory is unmounted before that goes, and nothing of it is removed', async ({
  lab,
}) => {
  const board = await lab.board();
  const target = await lab.open(board);
  await mkdir(join(board.root, 'srv'));
  await writeFile(join(board.root, 'srv/precious'), '');
  const mounting = `cd "$1" && mkdir 'a 5 \\040b' && mount -t tmpfs none 'a 5 \\040b' && cd 'a 5 \\040b' &&
    mkdir below && mount --bind /srv below && ls below`;
  expect((await target.execOk(['sh', '-c', mounting, 'sh', target.directory])).stdout).toBe('precious\n');
  await target.close();
  expect(await board.tmp()).toEqual([]);
  expect(await readdir(join(board.root, 'srv'))).toEqual(['precious']);
});

test('what a rig left behind when the target lost power is removed, and nothing else is', async ({ lab }) => {
  const board = await lab.board();
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const leave = async (name: string, owner?: string): Promise<void> => {
    await mkdir(join(board.root, 'tmp', name));
    if (owner !== undefined) await writeFile(join(board.root, 'tmp', name, 'owner'), `${owner}\n`);
  };
  await leave('bufrig.OLDBOO', '11111111-2222-3333-4444-555555555555 1');
  await leave('bufrig.DEADKE', `${bootId} 4194304`);
  await leave('bufrig.ALIVE1', `${bootId} ${process.pid}`);
  await leave('bufrig.NOBODY');
  await leave('others');
  const target = await lab.open(board);
  const own = target.directory.slice('/tmp/'.length);
  expect((await board.tmp()).toSorted()).toEqual(
    [own, 'bufrig.ALIVE1', 'bufrig.NOBODY', 'others'].toSorted(),
  );
});

test.describe('trouble is told at once', () => {
  test('no room', async ({ lab }) => {
    const error = await trouble(lab.open(await lab.board({ tmp: 'tiny' })));
    expect(error.code).toBe('TARGET_DISK');
    expect(error.message).toMatch(/\d+ KiB are free and 4096 KiB are needed/);
    expect(error.message).toMatch(/mount +tmpfs \/tmp tmpfs .*size=256k/);
  });

  test('a mount that runs no programs', async ({ lab }) => {
    const board = await lab.board({ tmp: 'noexec' });
    const error = await trouble(lab.open(board));
    expect(error.code).toBe('TARGET_DISK');
    expect(error.message).toMatch(/mount +tmpfs \/tmp tmpfs .*noexec/);
    const elsewhere = await lab.open(board, { directory: '/root' });
    expect(elsewhere.directory).toMatch(/^\/root\/bufrig\./);
  });

  test('a directory that is not there', async ({ lab }) => {
    const error = await trouble(lab.open(await lab.board(), { directory: '/nonexistent' }));
    expect(error.code).toBe('TARGET_DISK');
    expect(error.message).toContain('No such file or directory');
  });

  test('a file that does not fit', async ({ lab }) => {
    const target = await lab.open(await lab.board({ tmp: 'small' }));
    const error: unknown = await target
      .put(randomBytes(12 * 1024 * 1024), 'large')
      .catch((error: unknown) => error);
    expect(error).toMatchObject({
      code: 'TARGET_DISK',
      message: expect.stringMatching(/No space left.*\n +mount +tmpfs \/tmp/s),
    });
    expect((await target.execOk(['ls', target.directory])).stdout).toBe('owner\n');
    await target.put(Buffer.from('fits'), 'little');
  });

  test('no kernel tree anywhere', async ({ lab }) => {
    const board = await lab.board();
    const error = await trouble(lab.open(board, { kernelTree: undefined }));
    expect(error.code).toBe('KERNEL_TREE_MISSING');
    expect(error.message).toMatch(
      /no kernel build tree at \/lib\/modules\/.*\/build, no make, no C compiler/,
    );
    expect(error.hint).toContain('BUFRIG_KERNEL_TREE=');
    expect(await board.tmp()).toEqual([]);
  });

  test('a kernel tree that is none, or of another kernel', async ({ lab, tree }) => {
    const board = await lab.board();
    const none = await trouble(lab.open(board, { kernelTree: { where: 'host', directory: '/nonexistent' } }));
    expect(none.code).toBe('KERNEL_TREE_MISSING');
    await mkdir(join(tree, 'include/generated'), { recursive: true });
    await writeFile(join(tree, 'include/generated/utsrelease.h'), '#define UTS_RELEASE "2.6.32"\n');
    const wrong = await trouble(lab.open(board));
    expect(wrong.code).toBe('KERNEL_TREE_WRONG');
    expect(wrong.message).toContain('is of 2.6.32');
  });

  test('a kernel tree on the target is taken when make and a compiler are there', async ({ lab }) => {
    const board = await lab.board();
    const release = execFileSync('uname', ['-r']).toString().trim();
    await mkdir(join(board.root, 'lib/modules', release, 'build'), { recursive: true });
    await writeFile(join(board.root, 'lib/modules', release, 'build/Makefile'), '');
    for (const program of ['make', 'cc'])
      await writeFile(join(board.root, 'bin', program), '', { mode: 0o755 });
    const target = await lab.open(board, { kernelTree: undefined });
    expect(target.kernelTree).toEqual({ where: 'target', directory: `/lib/modules/${release}/build` });
  });

  test('a user who cannot become root', async ({ lab }) => {
    const board = await lab.board();
    const error = await trouble(lab.open(board, asUser(board, 'tester')));
    expect(error.code).toBe('TARGET_SUDO');
    expect(error.message).toContain('tester is not root and cannot become root');
    expect(error.hint).toContain('/etc/sudoers.d/bufrig');
  });

  test('a user who does not exist', async ({ lab }) => {
    const board = await lab.board();
    const error = await trouble(lab.open(board, asUser(board, 'stranger')));
    expect(error.code).toBe('SSH_AUTH');
    expect(error.message).toContain('did not let stranger in');
  });
});

test('an encrypted key works through the SSH agent, and only through it', async ({ lab }) => {
  test.skip(spawnSync('ssh-agent', ['-h']).error !== undefined, 'no ssh-agent on this machine');
  const board = await lab.board();
  const [identity = ''] = board.options.identities;
  const directory = await mkdtemp(join(tmpdir(), 'bufrig-agent-'));
  const agentSocket = join(directory, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', agentSocket], { stdio: 'ignore' });
  try {
    await expect.poll(() => existsSync(agentSocket)).toBe(true);
    execFileSync('ssh-add', ['-q', identity], { env: { ...process.env, SSH_AUTH_SOCK: agentSocket } });
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'secret', '-f', identity]);
    const error = await trouble(lab.open(board));
    expect(error.code).toBe('SSH_KEY');
    expect(error.hint).toContain(`ssh-add ${identity}`);
    const named = await lab.open(board, { agentSocket });
    expect((await named.exec(['true'])).code).toBe(0);
    const unnamed = await lab.open(board, { agentSocket, identities: [] });
    expect((await unnamed.exec(['true'])).code).toBe(0);
  } finally {
    agent.kill();
    await rm(directory, { recursive: true });
  }
});
