// SPDX-License-Identifier: MIT
/**
 * The board project on a guest that it knows only as a machine reached by SSH: the suite passes as
 * root and as an ordinary user, leaves nothing behind, and every way in which a board can be unfit
 * is one clear error of the lab.
 */
import { readFile } from 'node:fs/promises';
import { BoardGuest, type BoardEnvironment } from './board-guest.ts';
import type { RigResult } from './rig-run.ts';
import { expect, test as base } from './system-test.ts';

const test = base.extend<object, { board: BoardGuest }>({
  board: [
    // oxlint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const board = await BoardGuest.start();
      await use(board);
      await board.stop();
    },
    { scope: 'worker', timeout: 300_000 },
  ],
});

/** A claim about geometry, and through it about everything that must work before it. */
const ONE_CLAIM = 'fd-per-buffer.*GEO-03 a buffer of 1 MiB';
const SOME_CLAIMS = 'fd-per-buffer.*(BND-0|GEO-0)';

/** Milliseconds: all of the suite with one worker, while another test has a processor. */
const SUITE_LIMIT = 25 * 60_000;

const USERS = [
  { user: 'root', grep: 'conformance/' },
  { user: 'tester', grep: 'conformance/.*(fd-per-buffer|HLP-01)' },
];
for (const { user, grep } of USERS) {
  test(`the suite passes as ${user}, and nothing stays behind`, async ({ rig, board }) => {
    test.setTimeout(2 * SUITE_LIMIT);
    const before = await board.state();
    const run = await rig.run({ project: 'board', grep, env: board.as(user), limit: SUITE_LIMIT });
    expect(run.summary.red, run.output).toEqual([]);
    expect(run.code).toBe(0);
    expect(run.summary.targets).toMatchObject([{ facts: { name: 'board', accelerator: 'none' } }]);
    expect(run.summary.claims.pass).toBeGreaterThan(15);
    await expect.poll(() => board.state()).toEqual(before);

    const geometry = run.tests.find(({ title }) => title.startsWith('GEO-03 a buffer of 1 MiB'));
    expect(geometry?.annotations).toContainEqual({ type: '_witness', description: 'kcore' });
    const observation = geometry?.attachments.find(({ name }) => name === 'observation')?.path ?? '';
    expect(JSON.parse(await readFile(observation, 'utf8'))).toMatchObject([
      { sightings: [{ witness: 'kcore' }] },
    ]);
  });
}

interface Unfit {
  what: string;
  env: (board: BoardGuest) => Partial<BoardEnvironment>;
  /** Shell scripts that make the board unfit, and fit again. */
  make?: string;
  unmake?: string;
  says: RegExp;
}

const unfit: Unfit[] = [
  {
    what: 'another host key',
    env: () => ({ BUFRIG_HOST_KEY: `SHA256:${'A'.repeat(43)}` }),
    says: /^LabError \[SSH_HOST_KEY_MISMATCH\]: ssh:\/\/root@127\.0\.0\.1:\d+ presents another host key/,
  },
  {
    what: 'a port that nobody listens on',
    env: () => ({ BUFRIG_TARGET: 'ssh://root@127.0.0.1:1' }),
    says: /^LabError \[SSH_REFUSED\]: board \(ssh:\/\/root@127\.0\.0\.1:1\)/,
  },
  {
    what: 'a user who does not exist',
    env: (board) => board.as('nosuchuser'),
    says: /^LabError \[SSH_AUTH\]: board .*nosuchuser/,
  },
  {
    what: 'a user who cannot become root',
    env: (board) => board.as('tester'),
    make: 'mv /etc/sudoers /etc/sudoers.away; echo "root ALL=(ALL) ALL" >/etc/sudoers; chmod 440 /etc/sudoers',
    unmake: 'mv -f /etc/sudoers.away /etc/sudoers',
    says: /^LabError \[TARGET_SUDO\]: board .* tester is not root and cannot become root/,
  },
  {
    what: 'a full /tmp',
    env: () => ({}),
    make: 'mount -o remount,size=8m /tmp; dd if=/dev/zero of=/tmp/full bs=1M count=20 2>/dev/null',
    unmake: 'rm /tmp/full; mount -o remount,size=300m /tmp',
    says: /^LabError \[TARGET_DISK\]: board .* \/tmp cannot hold the rig's files: there is no room/,
  },
  {
    what: 'a /tmp that is mounted noexec',
    env: () => ({}),
    make: 'mount -o remount,noexec /tmp',
    unmake: 'mount -o remount,exec /tmp',
    says: /^LabError \[TARGET_DISK\]: board .* \/tmp cannot hold the rig's files: programs cannot be run/,
  },
  {
    what: 'a kernel tree that is not there',
    env: () => ({ BUFRIG_KERNEL_TREE: '/nowhere' }),
    says: /^LabError \[KERNEL_TREE_MISSING\]: board .* \/nowhere on this machine is not a kernel build tree/,
  },
  {
    what: 'no kernel tree at all',
    env: () => ({ BUFRIG_KERNEL_TREE: '' }),
    says: /^LabError \[KERNEL_TREE_MISSING\]: board .* no headers to build modules for kernel 6/,
  },
  {
    what: 'no machine named',
    env: () => ({ BUFRIG_TARGET: '' }),
    says: /^LabError \[BAD_SETTING\]: project board: no machine is named/,
  },
];

for (const { what, env, make, unmake, says } of unfit) {
  test(`${what} is one clear error of the lab`, async ({ rig, board }) => {
    if (make !== undefined) await board.sh(make);
    const before = await board.state();
    try {
      const run = await rig.run({
        project: 'board',
        grep: SOME_CLAIMS,
        env: { ...board.environment, ...env(board) },
      });
      expectLabRed(run, says);
      await expect.poll(() => board.state()).toEqual(before);
    } finally {
      if (unmake !== undefined) await board.sh(unmake);
    }
  });
}

test('a killed runner leaves nothing on the board, and no driver in its kernel', async ({ rig, board }) => {
  const before = await board.state();
  const run = rig.start({ project: 'board', grep: 'LIF-01', env: board.environment });
  await run.says('✓');
  expect(await board.state()).toContain('contigbuf');
  process.kill(run.pid, 'SIGKILL');
  await run.ended();
  await expect.poll(() => board.state(), { timeout: 60_000 }).toEqual(before);

  const again = await rig.run({ project: 'board', grep: ONE_CLAIM, env: board.environment });
  expect(again.code, again.output).toBe(0);
});

/** Every claim is the lab's fault; two tries were made, and a script can tell it from a bad driver. */
function expectLabRed({ summary, tests, output, code }: RigResult, says: RegExp): void {
  expect(tests.length).toBeGreaterThan(8);
  expect(
    summary.red.map(({ verdict }) => verdict),
    output,
  ).toEqual(tests.map(() => 'infra'));
  for (const red of summary.red) expect(red.cause).toMatch(says);
  expect(tests.filter(({ errors }) => errors.length > 0)).toHaveLength(2);
  expect(summary).toMatchObject({ colour: 'lab', errors: [] });
  expect(code).toBe(125);
}
