// SPDX-License-Identifier: MIT
/** The note about the guest that is kept up: who may write it, and what it is worth when its process is gone. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { ownIdentity } from '../../harness/process-identity.ts';
import { forgetKept, keptGuest, noteKept } from '../../harness/target/kept.ts';

const guest = {
  spec: { kind: 'ssh' as const, name: 'qemu-arm64-kept', address: 'ssh://root@127.0.0.1:2222' },
  release: '6.1.0',
  console: '/dev/null',
};

test('a guest is kept by one process, and known until that says otherwise', async ({}, info) => {
  const root = info.outputPath('cache');
  expect(await keptGuest(root)).toBeUndefined();
  await noteKept(root, guest);
  expect(await keptGuest(root)).toEqual({ ...guest, keeper: ownIdentity(), pid: process.pid });
  await expect(noteKept(root, guest)).rejects.toMatchObject({ code: 'ALREADY_UP' });
  await forgetKept(root);
  expect(await keptGuest(root)).toBeUndefined();
});

test('what a process that was killed kept is no more, and another one may keep a guest', async ({}, info) => {
  const root = info.outputPath('cache');
  await mkdir(root, { recursive: true });
  const dead = { ...guest, keeper: ownIdentity().replace(/\d+$/, '1'), pid: 1 };
  await writeFile(`${root}/kept.json`, JSON.stringify(dead));
  expect(await keptGuest(root)).toBeUndefined();
  await noteKept(root, guest);
  expect(JSON.parse(await readFile(`${root}/kept.json`, 'utf8'))).toMatchObject({ pid: process.pid });
});

test('who lost the race for the one place leaves the note of who won', async ({}, info) => {
  const root = info.outputPath('cache');
  await noteKept(root, guest);
  await forgetKept(root, ownIdentity().replace(/\d+$/, '1'));
  expect(await keptGuest(root)).toMatchObject({ pid: process.pid });
});
