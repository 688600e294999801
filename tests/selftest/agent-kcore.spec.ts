// SPDX-License-Identifier: MIT
/** The search of physical memory, on a small core file made for it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt } from '../../harness/agent/errors.ts';
import { searchCore } from '../../harness/agent/pages.ts';
import { newNonce, signatureOf } from '../../harness/agent/signature.ts';
import { expect, test } from './agent-on-host.ts';

interface Segment {
  /** Physical address; undefined for memory that has none, which the kernel gives as -1. */
  physical: bigint | undefined;
  content: Buffer;
}

/** As in /proc/iomem. */
function hex(value: bigint): string {
  return value.toString(16).padStart(8, '0');
}

/** An ELF64 core file: header, program headers, and the segments' content at odd places. */
function coreFile(segments: Segment[]): Buffer {
  const HEADER = 64;
  const PROGRAM_HEADER = 56;
  const PT_LOAD = 1;
  const header = Buffer.alloc(HEADER + PROGRAM_HEADER * segments.length);
  header.write('\x7fELF', 'latin1');
  header.writeUInt8(2, 4);
  header.writeUInt8(1, 5);
  header.writeBigUInt64LE(BigInt(HEADER), 32);
  header.writeUInt16LE(PROGRAM_HEADER, 54);
  header.writeUInt16LE(segments.length, 56);
  let offset = header.length + 100;
  const pieces: Buffer[] = [header, Buffer.alloc(100)];
  for (const [index, { physical, content }] of segments.entries()) {
    const at = HEADER + PROGRAM_HEADER * index;
    header.writeUInt32LE(PT_LOAD, at);
    header.writeBigUInt64LE(BigInt(offset), at + 8);
    header.writeBigUInt64LE(physical ?? 2n ** 64n - 1n, at + 24);
    header.writeBigUInt64LE(BigInt(content.length), at + 32);
    pieces.push(content);
    offset += content.length;
  }
  return Buffer.concat(pieces);
}

test('finds every copy of every page, once, and says what it could not look at', async ({
  agent,
  folder,
}) => {
  const { pageBytes } = agent;
  const nonce = newNonce();
  const ram = Buffer.alloc(400 * pageBytes, 0x33);
  const sign = (page: number, as: number, under = nonce) =>
    signatureOf(under, as).copy(ram, page * pageBytes);
  // A run over the border of two reads, a page twice, an old nonce, a page nobody asked for.
  for (let page = 0; page < 100; page += 1) sign(10 + page, page);
  sign(300, 42);
  sign(301, 5, newNonce());
  sign(302, 100);
  // Not signatures: one off the start of a page, one with a bit flipped behind the head.
  signatureOf(nonce, 7).copy(ram, 303 * pageBytes + 64);
  sign(304, 9);
  ram.writeUInt8(ram.readUInt8(304 * pageBytes + 63) ^ 1, 304 * pageBytes + 63);
  const base = 0x4000_0000n;
  const vmalloc = Buffer.alloc(2 * pageBytes);
  signatureOf(nonce, 3).copy(vmalloc, 0);
  const high = Buffer.alloc(pageBytes);
  signatureOf(nonce, 99).copy(high);
  const files = { core: join(folder, 'core'), iomem: join(folder, 'iomem') };
  await writeFile(
    files.core,
    coreFile([
      { physical: 0x1_0000_0000n, content: high },
      // The kernel's image is also a part of RAM.
      { physical: base + BigInt(8 * pageBytes), content: ram.subarray(8 * pageBytes, 20 * pageBytes) },
      { physical: undefined, content: vmalloc },
      { physical: base, content: ram },
    ]),
  );
  await writeFile(
    files.iomem,
    [
      '09000000-09000fff : pl011@9000000',
      `${hex(base)}-${hex(base + BigInt(ram.length) + 0x1fffn)} : System RAM`,
      '  40210000-4185ffff : Kernel code',
      `${hex(0x1_0000_0000n)}-${hex(0x1_0000_0000n + BigInt(pageBytes) - 1n)} : System RAM`,
    ].join('\n'),
  );

  const search = await searchCore(agent, nonce, 100, files);
  expect(search.runs).toEqual([
    { firstPage: 0, physicalAddress: Number(base) + 10 * pageBytes, pages: 100 },
    { firstPage: 42, physicalAddress: Number(base) + 300 * pageBytes, pages: 1 },
    { firstPage: 99, physicalAddress: 0x1_0000_0000, pages: 1 },
  ]);
  expect(search).toMatchObject({ strays: 1, unreadablePages: 0, unseenBytes: 0x2000 });
  expect(search.scannedBytes).toBe(401 * pageBytes);
  expect(search.unseen).toEqual([
    { physical: `0x${(base + BigInt(ram.length)).toString(16)}`, bytes: '0x2000' },
  ]);
});

test('a core file that is cut off shows what is missing', async ({ agent, folder }) => {
  const { pageBytes } = agent;
  const nonce = newNonce();
  const ram = Buffer.alloc(10 * pageBytes);
  for (let page = 0; page < 10; page += 1) signatureOf(nonce, page).copy(ram, page * pageBytes);
  const files = { core: join(folder, 'core'), iomem: join(folder, 'iomem') };
  const core = coreFile([{ physical: 0n, content: ram }]);
  await writeFile(files.core, core.subarray(0, core.length - 3 * pageBytes));
  await writeFile(files.iomem, '');
  const search = await searchCore(agent, nonce, 10, files);
  expect(search.runs).toEqual([{ firstPage: 0, physicalAddress: 0, pages: 7 }]);
  expect(search.unreadablePages).toBe(3);
  // The empty list of RAM tells nothing, which is not the same as nothing missing.
  expect(search.unseenBytes).toBeUndefined();
});

test('what is no core file is refused', async ({ agent, folder }) => {
  const files = { core: join(folder, 'core'), iomem: join(folder, 'iomem') };
  expect(await attempt(() => searchCore(agent, 1n, 1, files))).toEqual({ errno: 'ENOENT' });
  await writeFile(files.core, Buffer.alloc(4096));
  await writeFile(files.iomem, '');
  expect(await attempt(() => searchCore(agent, 1n, 1, files))).toEqual({ errno: 'ENOEXEC' });
});
