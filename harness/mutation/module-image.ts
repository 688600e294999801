// SPDX-License-Identifier: MIT
/**
 * What of a kernel module the kernel would load, without what tells where and from which lines it was
 * built: two modules with the same fingerprint behave alike. elf(5).
 */
import { createHash } from 'node:crypto';

const SHF_ALLOC = 2n;
const SHT_NOBITS = 8;
const RELOCATIONS = new Set([4, 9]);

/** Loaded, and different after any edit: the build's id, the source's checksum, the lines of WARN_ON(). */
const ABOUT_THE_BUILD = /^(\.note\.|\.modinfo$|__bug_table$)/;

interface Section {
  name: string;
  type: number;
  flags: bigint;
  /** For relocations: the number of the section that they are for. */
  info: number;
  bytes: Buffer;
}

/** A key for everything that is loaded. @param module a .ko, of 32 or 64 bits, little endian */
export function moduleFingerprint(module: Buffer): string {
  const sections = sectionsOf(module);
  const hash = createHash('sha256');
  for (const section of sections) {
    const counts = RELOCATIONS.has(section.type) ? isLoaded(sections[section.info]) : isLoaded(section);
    if (counts) hash.update(`${section.name} ${section.bytes.length}\n`).update(section.bytes);
  }
  return hash.digest('hex');
}

function isLoaded(section: Section | undefined): boolean {
  return section !== undefined && (section.flags & SHF_ALLOC) !== 0n && !ABOUT_THE_BUILD.test(section.name);
}

function sectionsOf(elf: Buffer): Section[] {
  if (elf.readUInt32BE(0) !== 0x7f454c46) throw new TypeError('not an ELF file');
  const wide = elf[4] === 2;
  const table = wide ? Number(elf.readBigUInt64LE(0x28)) : elf.readUInt32LE(0x20);
  const [size, count, names] = [0, 2, 4].map((at) => elf.readUInt16LE((wide ? 0x3a : 0x2e) + at));
  const headers = Array.from({ length: count ?? 0 }, (_, i) => headerAt(elf, table + i * (size ?? 0), wide));
  const strings = headers[names ?? 0]?.bytes ?? Buffer.alloc(0);
  return headers.map(({ nameAt, ...section }) => {
    return { ...section, name: strings.toString('latin1', nameAt, strings.indexOf(0, nameAt)) };
  });
}

function headerAt(elf: Buffer, at: number, wide: boolean): Omit<Section, 'name'> & { nameAt: number } {
  const word = (place: number): bigint =>
    wide ? elf.readBigUInt64LE(at + place) : BigInt(elf.readUInt32LE(at + place));
  const type = elf.readUInt32LE(at + 4);
  const [offset, bytes] = wide ? [word(0x18), word(0x20)] : [word(0x10), word(0x14)];
  return {
    nameAt: elf.readUInt32LE(at),
    type,
    flags: word(8),
    info: elf.readUInt32LE(at + (wide ? 0x2c : 0x1c)),
    bytes:
      type === SHT_NOBITS ? Buffer.from(String(bytes)) : elf.subarray(Number(offset), Number(offset + bytes)),
  };
}
