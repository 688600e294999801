// SPDX-License-Identifier: MIT
/** What the host must have, and the one command that brings it. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { ARCHITECTURES, hostArchitecture } from '../../harness/build/architectures.ts';
import { hostNeeds, installCommand, unmet } from '../../harness/build/host.ts';
import { provide } from '../../harness/build/host-packages.ts';

const foreign = ARCHITECTURES.map(({ debian }) => debian).filter((name) => name !== hostArchitecture());

test('every need names what to look for, its package and who asks', () => {
  for (const need of hostNeeds(ARCHITECTURES.map(({ debian }) => debian))) {
    expect(need.debianPackage).toMatch(/^[a-z0-9][a-z0-9+.-]+$/);
    expect(need.provides).toMatch(/^(\/[\w./-]+|[\w-]+)$/);
    expect(need.purpose).not.toBe('');
  }
});

test('a foreign architecture needs an emulator, a compiler and a C library', () => {
  for (const architecture of foreign) {
    const before = new Set(hostNeeds([]).map(({ provides }) => provides));
    expect(hostNeeds([architecture]).filter(({ provides }) => !before.has(provides))).toHaveLength(3);
  }
});

test('programs are looked for on the search path given, files where they are', async ({}, info) => {
  const [architecture] = foreign;
  if (architecture === undefined) throw new Error('no architecture is foreign to this machine');
  const needs = hostNeeds([architecture]);
  const programs = needs.filter(({ provides }) => !provides.startsWith('/') && provides !== 'readelf');
  await mkdir(info.outputPath(), { recursive: true });
  for (const { provides } of programs) {
    await writeFile(info.outputPath(provides), '');
    await chmod(info.outputPath(provides), 0o755);
  }
  const missing = (await unmet(needs, [info.outputPath()])).map(({ provides }) => provides);
  expect(missing.filter((provides) => !provides.startsWith('/'))).toEqual(['readelf']);
});

test('one command installs all that is missing, each package once, none that is only recommended', () => {
  const needs = hostNeeds(foreign);
  const [program, verb, ...rest] = installCommand(needs);
  expect([program, verb]).toEqual(['apt-get', 'install']);
  expect(rest).toContain('--no-install-recommends');
  const packages = rest.filter((word) => !word.startsWith('-'));
  expect(packages).toEqual([...new Set(needs.map(({ debianPackage }) => debianPackage))]);
});

test('packages are installed by whoever may be root, and what then is still missing is told', async () => {
  const needs = [{ provides: 'no-such-program', debianPackage: 'no-such-package', purpose: 'be missing' }];
  const said: string[] = [];
  // Root's part is played by a program that only repeats what it is told.
  const host = { searchPath: ['/usr/bin'], say: (line: string) => said.push(line), asRoot: ['echo'] };
  await expect(provide(needs, host)).rejects.toThrow(/no-such-package did not bring/);
  expect(said).toEqual(['reading the package index', 'installing no-such-package']);
});
