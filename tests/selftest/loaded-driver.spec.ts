// SPDX-License-Identifier: MIT
/** A module that does not load: whose fault it is, by the words of insmod, of the shell and of the kernel. */
import { expect, test } from '@playwright/test';
import { described } from '../../harness/agent/message.ts';
import { bookmarkPrefix } from '../../harness/kernel-log/follower.ts';
import { loadDriver } from '../../harness/profile/loaded-driver.ts';
import type { DriverProfile } from '../../harness/profile/profile.ts';
import { moduleFromKernel } from '../../harness/supply/module-files.ts';
import type { Target } from '../../harness/target/target.ts';
import { failureOf } from './agent-on-host.ts';

const profile = described<DriverProfile>({ device: '/dev/thing', module: { name: 'thing', parameters: [] } });

/** What its programs answer. */
interface Answers {
  /** Of the shell that runs insmod. */
  code: number | null;
  stderr?: string;
  /** Lines before insmod, and since. */
  before?: string;
  since?: string;
  modulesDisabled?: string;
  modprobe?: string;
}

/** A board of which there is only what its programs answer. */
function board({
  code,
  stderr = '',
  before = '',
  since = '',
  modulesDisabled = '0',
  modprobe = '',
}: Answers) {
  let log = before;
  const exec = async ([program = '', ...args]: readonly string[]) => {
    const bookmark = /echo "(.*)" >\/dev\/kmsg/.exec(args[1] ?? '')?.[1];
    if (bookmark !== undefined) log += `\n[    1.0] ${bookmark}\n${since}`;
    const stdout = { dmesg: log, cat: modulesDisabled, modprobe }[program] ?? '';
    return program === 'sh'
      ? { code, signal: null, stdout, stderr }
      : { code: 0, signal: null, stdout, stderr: '' };
  };
  return described<Target>({
    ...{ facts: { name: 'board', kernelRelease: '6.1.0' }, patience: 1, directory: '/tmp/bufrig' },
    ...{ exec, execOk: exec },
  });
}

const INSMOD = 'insmod: ERROR: could not insert module thing.ko:';
const ANOTHER_TREE = 'thing: version magic is another';
for (const [what, name, answers] of [
  ['fails', 'DriverError [DRIVER_LOAD]', { code: 1, stderr: `${INSMOD} No such device` }],
  [
    'fails after one that was built for another kernel',
    'DriverError [DRIVER_LOAD]',
    { code: 1, stderr: `${INSMOD} No such device`, before: ANOTHER_TREE, since: 'thing: no clock' },
  ],
  [
    'may not do what it does',
    'DriverError [DRIVER_LOAD]',
    { code: 1, stderr: `${INSMOD} Operation not permitted` },
  ],
  [
    'was built for another kernel',
    'LabError [MODULE_FORMAT]',
    { code: 1, stderr: `${INSMOD} Invalid module format` },
  ],
  [
    'was built for another kernel, as that says',
    'LabError [MODULE_FORMAT]',
    {
      code: 1,
      stderr: `${INSMOD} Invalid parameters`,
      since: 'thing: disagrees about version of symbol module_layout',
    },
  ],
  [
    'is not signed',
    'LabError [MODULE_REFUSED]',
    { code: 1, stderr: `${INSMOD} Key was rejected by service` },
  ],
  [
    'is not signed, with another insmod',
    'LabError [MODULE_REFUSED]',
    { code: 126, stderr: "insmod: can't insert 'thing.ko': Required key not available" },
  ],
  [
    'comes to a kernel that is locked down',
    'LabError [MODULE_REFUSED]',
    {
      ...{ code: 1, stderr: `${INSMOD} Operation not permitted` },
      since: 'Lockdown: insmod: unsigned module loading is restricted; see man kernel_lockdown.7',
    },
  ],
  [
    'comes to a kernel that takes no modules',
    'LabError [MODULE_REFUSED]',
    { code: 1, stderr: `${INSMOD} Operation not permitted`, modulesDisabled: '1\n' },
  ],
  ['finds no insmod', 'LabError [INSMOD]', { code: 127, stderr: 'sh: insmod: not found' }],
  ['is loaded by an insmod that was killed', 'LabError [INSMOD]', { code: 137 }],
  ['is loaded by a shell that was killed', 'LabError [INSMOD]', { code: null }],
] satisfies [string, string, Answers][]) {
  test(`a module that ${what}: ${name}`, async () => {
    expect((await failureOf(loadDriver(board(answers), profile, '/tmp/thing.ko'))).name).toBe(name);
  });
}

test('what is written into the kernel’s log before insmod is a bookmark, which is nobody’s complaint', async () => {
  const error = await failureOf(loadDriver(board({ code: 1 }), profile, '/tmp/thing.ko'));
  expect(error.message).toContain(bookmarkPrefix);
});

test('a module that is built into the kernel of a board is none to be loaded', async () => {
  const builtin = board({ code: 0, modprobe: 'builtin vgem\n' });
  await expect(moduleFromKernel(builtin, 'vgem')).rejects.toMatchObject({
    code: 'KERNEL_MODULE_MISSING',
    message: 'board: its kernel has no module vgem to load: modprobe -D says builtin vgem',
  });
  const module = board({ code: 0, modprobe: 'insmod /lib/a/drm.ko \ninsmod /lib/a/vgem.ko.xz \n' });
  expect(await moduleFromKernel(module, 'vgem')).toBe('/lib/a/vgem.ko.xz');
});
