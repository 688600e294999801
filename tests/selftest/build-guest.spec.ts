// SPDX-License-Identifier: MIT
/** What a guest boots from: the archives, the order of modules, and the keys of a run. */
import { createPublicKey, verify, createPrivateKey, sign } from 'node:crypto';
import { lstat, mkdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { cpioArchive, directoriesFor } from '../../harness/build/cpio.ts';
import { loadOrder, modinfo, modulesInOrder } from '../../harness/build/kernel-modules.ts';
import { newHostKey, newLoginKey, perRunArchive } from '../../harness/build/per-run.ts';
import { runOk } from '../../harness/process.ts';

test('cpio(1) reads what we write', async ({}, info) => {
  const archive = cpioArchive([
    ...directoriesFor(['a/b/file', 'a/c/link']),
    { path: 'a/b/file', kind: 'file', mode: 0o640, data: 'odd' },
    { path: 'a/b/empty', kind: 'file', mode: 0o600 },
    { path: 'a/c/link', kind: 'link', mode: 0o777, data: '../b/file' },
    { path: 'a/c/null', kind: 'character-device', mode: 0o666, device: [1, 3], owner: 1000 },
  ]);
  expect(archive.length % 512).toBe(0);
  const { stdout } = await runOk(['cpio', '--list', '--verbose', '--numeric-uid-gid', '--quiet'], {
    input: archive,
  });
  const listed = stdout
    .trim()
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' '));
  expect(listed).toEqual([
    expect.stringMatching(/^drwxr-xr-x 2 0 0 0 .* a$/),
    expect.stringMatching(/^drwxr-xr-x 2 0 0 0 .* a\/b$/),
    expect.stringMatching(/^drwxr-xr-x 2 0 0 0 .* a\/c$/),
    expect.stringMatching(/^-rw-r----- 1 0 0 3 .* a\/b\/file$/),
    expect.stringMatching(/^-rw------- 1 0 0 0 .* a\/b\/empty$/),
    expect.stringMatching(/^lrwxrwxrwx 1 0 0 9 .* a\/c\/link -> \.\.\/b\/file$/),
    expect.stringMatching(/^crw-rw-rw- 1 1000 1000 1, 3 .* a\/c\/null$/),
  ]);

  const root = info.outputPath();
  await mkdir(root, { recursive: true });
  const files = ['a/b/file', 'a/b/empty', 'a/c/link'];
  await runOk(['cpio', '--extract', '--make-directories', '--quiet', '--no-preserve-owner', ...files], {
    cwd: root,
    input: archive,
  });
  expect(await readFile(join(root, 'a/b/file'), 'utf8')).toBe('odd');
  expect((await lstat(join(root, 'a/b/empty'))).size).toBe(0);
  expect(await readlink(join(root, 'a/c/link'))).toBe('../b/file');
});

test('the same contents give the same bytes', () => {
  const member = { path: 'x', kind: 'file', mode: 0o600, data: 'y' } as const;
  expect(cpioArchive([member])).toEqual(cpioArchive([member]));
});

test('modules load after what they need', () => {
  const order = loadOrder(
    new Map([
      ['virtio_net', ['net_failover', 'virtio']],
      ['net_failover', ['failover']],
      ['failover', []],
      ['edu', []],
    ]),
  );
  expect(order).toEqual(['failover', 'net_failover', 'virtio_net', 'edu']);
});

test('modules are found by name, with what they say they need, and built-in ones are left out', async ({}, info) => {
  const kernel = info.outputPath('kernel/drivers');
  await mkdir(kernel, { recursive: true });
  await writeFile(join(kernel, 'upper-half.ko'), elfLike('depends=lower_half,built_in', 'license=GPL'));
  await writeFile(join(kernel, 'lower_half.ko'), elfLike('depends=', 'alias=x', 'alias=y'));
  await runOk(['xz', '--check=crc32', join(kernel, 'lower_half.ko')]);
  await writeFile(info.outputPath('modules.builtin'), 'kernel/drivers/built-in.ko\n');

  const loaded = await modulesInOrder(info.outputPath(), ['upper_half', 'built-in']);
  expect(loaded.map(({ name }) => name)).toEqual(['lower_half', 'upper_half']);
  expect(modinfo(loaded[0]?.image ?? Buffer.alloc(0), 'alias')).toEqual(['x', 'y']);
  await expect(modulesInOrder(info.outputPath(), ['toaster'])).rejects.toMatchObject({
    code: 'KERNEL_MODULE_MISSING',
  });
});

/** As much of a module as matters here: strings between zero bytes. */
function elfLike(...modinfo: string[]): Buffer {
  return Buffer.from(`\x7fELF\0${modinfo.join('\0')}\0`);
}

test("a host key in dropbear's format holds the pair that its public blob announces", () => {
  const { dropbear, publicBlob, fingerprint, publicLine } = newHostKey();
  const [type, pair] = strings(dropbear);
  expect(type?.toString()).toBe('ssh-ed25519');
  expect(pair).toHaveLength(64);
  const [blobType, point] = strings(publicBlob);
  expect(blobType?.toString()).toBe('ssh-ed25519');
  expect(pair?.subarray(32)).toEqual(point);
  expect(publicLine).toBe(`ssh-ed25519 ${publicBlob.toString('base64')}`);
  expect(fingerprint).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);

  // The seed really belongs to that public key: what one signs the other verifies.
  const x = point?.toString('base64url') ?? '';
  const d = pair?.subarray(0, 32).toString('base64url') ?? '';
  const secret = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' });
  const open = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const message = Buffer.from('exchange hash');
  expect(verify(null, message, open, sign(null, message, secret))).toBe(true);
});

test('ssh-keygen reads our login key and agrees on its public half', async ({}, info) => {
  const { privateOpenssh, publicLine } = newLoginKey();
  const file = info.outputPath('key');
  await mkdir(info.outputPath(), { recursive: true });
  await writeFile(file, privateOpenssh, { mode: 0o600 });
  const { stdout } = await runOk(['ssh-keygen', '-y', '-f', file]);
  expect(stdout.trim()).toBe(publicLine);
});

test('ssh-keygen computes the fingerprint we pin', async ({}, info) => {
  const { publicLine, fingerprint } = newHostKey();
  const file = info.outputPath('key.pub');
  await mkdir(info.outputPath(), { recursive: true });
  await writeFile(file, publicLine);
  expect((await runOk(['ssh-keygen', '-l', '-f', file])).stdout).toContain(fingerprint);
});

test("a run's archive gives both users the same keys, each their own", async () => {
  const hostKey = newHostKey();
  const archive = perRunArchive({
    hostKey,
    authorizedKeys: ['ssh-ed25519 AAAA one', 'ssh-ed25519 BBBB two'],
  });
  const list = await runOk(['cpio', '--list', '--verbose', '--numeric-uid-gid', '--quiet'], {
    input: archive,
  });
  expect(list.stdout).toMatch(/^-rw-------\s+1\s+0\s+0\s+\d+ .* etc\/dropbear\/dropbear_ed25519_host_key$/m);
  expect(list.stdout).toMatch(/^-rw-------\s+1\s+0\s+0\s+42 .* root\/\.ssh\/authorized_keys$/m);
  expect(list.stdout).toMatch(/^-rw-------\s+1\s+1000\s+1000\s+42 .* home\/tester\/\.ssh\/authorized_keys$/m);
  expect(archive.includes(hostKey.dropbear)).toBe(true);
});

/** The strings of RFC 4251 in a row. */
function strings(bytes: Buffer): Buffer[] {
  const found = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at);
    found.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}
