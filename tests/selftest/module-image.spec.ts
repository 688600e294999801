// SPDX-License-Identifier: MIT
/** Two builds are told apart by what is loaded of them. */
import { expect, test } from '@playwright/test';
import { moduleFingerprint } from '../../harness/mutation/module-image.ts';

test.describe('two modules with the same fingerprint', () => {
  const base = elf(['.text', 6, 'code'], ['.data', 3, 'data'], ['.debug_line', 0, 'lines']);

  test('differ at most in what is not loaded, and in what tells of the build', () => {
    const rebuilt = elf(['.text', 6, 'code'], ['.data', 3, 'data'], ['.debug_line', 0, 'other lines']);
    expect(moduleFingerprint(rebuilt)).toBe(moduleFingerprint(base));
    const noted = elf(['.text', 6, 'code'], ['.data', 3, 'data'], ['.modinfo', 2, 'srcversion=1']);
    expect(moduleFingerprint(noted)).toBe(moduleFingerprint(base));
  });

  test('never differ in code or data', () => {
    for (const other of [
      elf(['.text', 6, 'CODE'], ['.data', 3, 'data']),
      elf(['.text', 6, 'code'], ['.data', 3, 'DATA']),
      elf(['.text', 6, 'code'], ['.data', 3, 'data'], ['.init.text', 6, 'more']),
    ]) {
      expect(moduleFingerprint(other)).not.toBe(moduleFingerprint(base));
    }
  });

  test('are modules', () => {
    expect(() => moduleFingerprint(Buffer.from('#!/bin/sh\nexit\n'))).toThrow(/not an ELF/);
  });
});

/** A small ELF file of 64 bits with these sections. */
function elf(...sections: readonly [name: string, flags: number, bytes: string][]): Buffer {
  const all = [['', 0, ''] as const, ...sections, ['.shstrtab', 0, ''] as const];
  const names = `${all.map(([name]) => name).join('\0')}\0`;
  const bodies = all.map(([name, , bytes]) => Buffer.from(name === '.shstrtab' ? names : bytes));
  const header = Buffer.alloc(64);
  header.write('\u007fELF\u0002\u0001', 'latin1');
  const table = 64 + bodies.reduce((sum, { length }) => sum + length, 0);
  header.writeBigUInt64LE(BigInt(table), 0x28);
  header.writeUInt16LE(64, 0x3a);
  header.writeUInt16LE(all.length, 0x3c);
  header.writeUInt16LE(all.length - 1, 0x3e);
  let [offset, nameAt] = [64, 0];
  const headers = all.map(([name, flags], index) => {
    const entry = Buffer.alloc(64);
    const bytes = bodies[index]?.length ?? 0;
    entry.writeUInt32LE(nameAt, 0);
    entry.writeUInt32LE(1, 4);
    entry.writeBigUInt64LE(BigInt(flags), 8);
    entry.writeBigUInt64LE(BigInt(offset), 0x18);
    entry.writeBigUInt64LE(BigInt(bytes), 0x20);
    offset += bytes;
    nameAt += name.length + 1;
    return entry;
  });
  return Buffer.concat([header, ...bodies, ...headers]);
}
