// SPDX-License-Identifier: MIT
/** The tables of machines and guests, and what a guest asks of the host. */
import { contigbuf } from '../../harness/profile/contigbuf.ts';
import type { DriverProfile } from '../../harness/profile/profile.ts';
import { vgem } from '../../harness/profile/vgem.ts';
import type { TargetFacts } from '../../harness/target/target.ts';
import { expect, test } from '@playwright/test';
import { whyNotHere } from '../../fixtures/applicability.ts';
import { architectureFacts } from '../../harness/build/architectures.ts';
import { guestNeeds } from '../../harness/build/host.ts';
import { provide } from '../../harness/build/host-packages.ts';
import { LabError } from '../../harness/errors.ts';
import { lostOptions, ownFlavours } from '../../harness/build/own-kernel.ts';
import { guests } from '../../harness/target/guests.ts';
import { machineNamed, machines, type MachineName } from '../../harness/target/qemu/machines.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

for (const name of Object.keys(machines) as MachineName[]) {
  test(`${name}: every byte of the RAM file has one address`, () => {
    for (const bytes of [256 * MIB, 2815 * MIB, 2816 * MIB, 3 * GIB, 6 * GIB]) {
      const regions = machineNamed(name).ram(bytes);
      let next = 0;
      let above = 0;
      for (const { fileOffset, physicalAddress, bytes: length } of regions) {
        expect(fileOffset).toBe(next);
        expect(physicalAddress).toBeGreaterThanOrEqual(above);
        expect(length).toBeGreaterThan(0);
        next += length;
        above = physicalAddress + length;
      }
      expect(next).toBe(bytes);
    }
  });
}

test('q35: no RAM lies between 2816 MiB and 4 GiB, where the devices are', () => {
  for (const bytes of [2815 * MIB, 2816 * MIB, 8 * GIB]) {
    for (const { physicalAddress, bytes: length } of machineNamed('q35-amd64').ram(bytes)) {
      expect(physicalAddress >= 4 * GIB || physicalAddress + length <= 2816 * MIB).toBe(true);
    }
  }
});

test('guests have names of their own and kernels that their architecture has', async () => {
  const own = await ownFlavours();
  expect(new Set(guests.map(({ name }) => name)).size).toBe(guests.length);
  for (const { machine, kernel } of guests) {
    const debian = architectureFacts(machineNamed(machine).architecture).flavours;
    expect([...debian, ...own]).toContain(kernel.flavour);
  }
});

test('a kernel that does not take an option of ours is noticed', () => {
  const fragment = '# about\nCONFIG_KASAN=y\nCONFIG_LKDTM=m\nCONFIG_SLUB_TINY=n\nCONFIG_GONE=y\n';
  const config = 'CONFIG_KASAN=y\nCONFIG_LKDTM=m\n# CONFIG_SLUB_TINY is not set\n';
  expect(lostOptions(fragment, config)).toEqual(['CONFIG_GONE=y']);
  expect(lostOptions(fragment, `${config}CONFIG_GONE=y\nCONFIG_SLUB_TINY=y\n`)).toEqual([
    'CONFIG_SLUB_TINY=n',
  ]);
});

test('a guest that this machine lacks tools for says how to get them, and asks for no other', async () => {
  const nobody = { searchPath: [], say: () => {}, asRoot: [] };
  const failure = await provide(guestNeeds('armhf', 'armhf'), nobody).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(LabError);
  const { code, hint = '' } = failure as LabError;
  expect(code).toBe('HOST_INCOMPLETE');
  expect(hint).toContain('apt-get install');
  expect(hint).toContain(architectureFacts('armhf').qemu.debianPackage);
  expect(hint).toContain('gcc');
  expect(hint).not.toMatch(/qemu-system-x86|cpio|patch/);
});

test('a claim that does not apply to a target says why', () => {
  const title = 'BND-03 a mapping that begins 2^44 bytes and more behind the buffer is refused';
  const facts = {
    name: 'x',
    kernelRelease: '6.1.0',
    pageBytes: 4096,
    bootId: '1',
    accelerator: 'none',
    details: {},
  } as const;
  const on = (machine: string, more: Partial<TargetFacts> = {}) => ({
    facts: { ...facts, machine, ...more },
    profile: contigbuf,
    promises: contigbuf.properties,
  });
  expect(whyNotHere(title, on('armv7l'))).toContain('mmap2');
  expect(whyNotHere(title, on('aarch64', { programs: 'armhf' }))).toContain('mmap2');
  expect(whyNotHere(title, on('aarch64'))).toBeUndefined();
  expect(whyNotHere('BND-04 something else', on('armv7l'))).toBeUndefined();
});

test('nor one that the profile promises nothing about', () => {
  const title = 'GEO-03 a buffer of 1 MiB is physically contiguous';
  const machine = { name: 'x', kernelRelease: '6.1.0', machine: 'aarch64', pageBytes: 4096, bootId: '1' };
  const facts = { ...machine, accelerator: 'none', details: {} } as const;
  const of = (profile: DriverProfile) => ({ facts, profile, promises: profile.properties });
  expect(whyNotHere(title, of(contigbuf))).toBeUndefined();
  expect(whyNotHere(title, of(vgem))).toContain('does not promise contiguous memory');
  expect(whyNotHere('GEO-03 what is not promised is found in pieces', of(vgem))).toBeUndefined();
});
