// SPDX-License-Identifier: MIT
/**
 * The hypervisor as witness: reads the guest's RAM from outside, where neither the guest's kernel
 * nor the driver has a say.
 */
import { readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { headOf, pageIndexOf, signatureOf } from '../agent/signature.ts';
import { LabError, messageOf } from '../errors.ts';
import type { ExternalMemory, RamRegion } from '../target/target.ts';
import type { PagesSeen, PhysicalRange, Witness } from './witness.ts';

/** Fits into a CPU's cache: the kernel copies there, and it is read there. */
const CHUNK_BYTES = 512 * 1024;
/** How much is read before others have their turn: some 10 ms. */
const BREATH_BYTES = 64 * 1024 * 1024;
const WORD_BYTES = 8;

export class HypervisorWitness implements Witness {
  readonly name = 'hypervisor';
  readonly #memory: ExternalMemory;
  readonly #pageBytes: number;

  constructor(memory: ExternalMemory, pageBytes: number) {
    this.#memory = memory;
    this.#pageBytes = pageBytes;
  }

  async find(
    nonce: bigint,
    count: number,
    _hints: readonly PhysicalRange[],
    within?: readonly PhysicalRange[],
  ): Promise<PagesSeen> {
    const { file: path, regions } = this.#memory;
    const seen: PagesSeen = Array.from({ length: count }, () => []);
    const file = await open(path, 'r').catch((cause: unknown) => {
      throw new LabError('GUEST_RAM', `cannot read the guest's RAM from outside: ${messageOf(cause)}`);
    });
    try {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      for (const region of within === undefined ? regions : partsOf(regions, within)) {
        for (let at = 0; at < region.bytes; at += CHUNK_BYTES) {
          const wanted = Math.min(CHUNK_BYTES, region.bytes - at);
          // A read that waits for the thread pool takes as long again.
          if (readSync(file.fd, chunk, 0, wanted, region.fileOffset + at) !== wanted) {
            throw new LabError('GUEST_RAM', `the guest's RAM file ends early, at ${region.fileOffset + at}`);
          }
          this.#scan(chunk.subarray(0, wanted), region, at, nonce, seen);
          if (at % BREATH_BYTES === 0) await setImmediate();
        }
      }
      return seen;
    } finally {
      await file.close();
    }
  }

  #scan(chunk: Buffer, region: RamRegion, at: number, nonce: bigint, seen: PagesSeen): void {
    const words = new BigUint64Array(chunk.buffer, chunk.byteOffset, chunk.length / WORD_BYTES);
    const head = headOf(nonce);
    const stride = this.#pageBytes / WORD_BYTES;
    for (let word = 0; word < words.length; word += stride) {
      if (words[word] !== head) continue;
      const page = pageIndexOf(words[word + 1] ?? 0n, nonce);
      const pages = seen[page];
      const signature = signatureOf(nonce, page);
      const offset = word * WORD_BYTES;
      // Half a signature is a page that is being overwritten; it belongs to nobody.
      if (pages === undefined || !signature.equals(chunk.subarray(offset, offset + signature.length)))
        continue;
      pages.push(region.physicalAddress + at + offset);
    }
  }
}

/** The parts of the RAM that lie in these ranges of physical addresses. */
function partsOf(regions: readonly RamRegion[], ranges: readonly PhysicalRange[]): RamRegion[] {
  return ranges.flatMap((range) =>
    regions.flatMap((region) => {
      const start = Math.max(region.physicalAddress, range.physicalAddress);
      const end = Math.min(region.physicalAddress + region.bytes, range.physicalAddress + range.bytes);
      if (end <= start) return [];
      const fileOffset = region.fileOffset + start - region.physicalAddress;
      return [{ fileOffset, physicalAddress: start, bytes: end - start }];
    }),
  );
}
