// SPDX-License-Identifier: MIT
/**
 * Memory mapped into the agent's process. A mapping, a part of it and a single page of it are
 * handled alike: `mapping.page(3).protect('r')`, `mapping.pages(0, 2).unmap()`.
 */
import type { Agent } from './client.ts';
import { runsToPages, vmaAt, type Run, type Vma } from './pages.ts';

export type Protection = 'none' | 'r' | 'w' | 'rw' | 'x' | 'rx' | 'wx' | 'rwx';

/** Flags of mmap() beside shared, private and anonymous. */
export type MapFlag =
  | 'fixed'
  | 'fixed-noreplace'
  | 'populate'
  | 'noreserve'
  | 'locked'
  | 'hugetlb'
  | 'sync'
  | 'shared-validate';

/** What mmap() takes, in the words of its manual page. */
export interface MapRequest {
  /** Bytes. */
  length: number | bigint;
  /** Default `rw`. */
  protection?: Protection;
  /** Default true; false is MAP_PRIVATE. */
  shared?: boolean;
  /** Without a descriptor the memory is anonymous. */
  fd?: number;
  /** Bytes; any 64-bit value, also such that no file has. Default 0. */
  offset?: number | bigint;
  /** Where to put it; a wish unless a flag says `fixed` or `fixed-noreplace`. */
  at?: number;
  flags?: MapFlag[];
}

/** What came of comparing memory with what it should hold. */
export interface Comparison {
  /** Units compared: bytes or, for a pattern, words of 8 bytes. */
  compared: number;
  mismatches: number;
  first?: { offset: number; expected: bigint; got: bigint };
}

/** What came of looking for any byte but one. */
export interface ByteScan {
  /** Bytes. */
  compared: number;
  mismatches: number;
  first?: { offset: number; value: number };
}

/** What came of looking for each page's own signature. */
export interface SignatureCheck {
  pages: number;
  mismatches: number;
  /** The first wrong pages: which page of the signed buffer each shows instead, null for none. */
  wrong: { page: number; sees: number | null; word: string }[];
}

export interface Faults {
  minorFaults: number;
  majorFaults: number;
}

export class AgentMapping {
  readonly agent: Agent;
  readonly address: number;
  readonly bytes: number;
  readonly protection: Protection;

  constructor(agent: Agent, address: number, bytes: number, protection: Protection) {
    this.agent = agent;
    this.address = address;
    this.bytes = bytes;
    this.protection = protection;
  }

  get pageCount(): number {
    return Math.ceil(this.bytes / this.agent.pageBytes);
  }

  get end(): number {
    return this.address + this.bytes;
  }

  /** A part of this memory; nothing happens on the target. It may lie beyond the end. */
  part(offset: number, bytes: number): AgentMapping {
    return new AgentMapping(this.agent, this.address + offset, bytes, this.protection);
  }

  page(index: number): AgentMapping {
    return this.pages(index, 1);
  }

  pages(first: number, count: number): AgentMapping {
    const { pageBytes } = this.agent;
    return this.part(first * pageBytes, count * pageBytes);
  }

  /** The same address seen from another agent, a child for example. */
  in(agent: Agent): AgentMapping {
    return new AgentMapping(agent, this.address, this.bytes, this.protection);
  }

  /** One load of 1, 2, 4 or 8 bytes. @throws MemoryFault */
  async load(offset: number, width: 1 | 2 | 4 | 8 = 8): Promise<bigint> {
    return BigInt((await this.#request<{ value: string }>('load', this.address + offset, width)).value);
  }

  /** One store of 1, 2, 4 or 8 bytes. @throws MemoryFault */
  async store(offset: number, value: number | bigint, width: 1 | 2 | 4 | 8 = 8): Promise<void> {
    await this.#request('store', this.address + offset, width, value);
  }

  async peek(offset = 0, bytes = this.bytes - offset): Promise<Buffer> {
    const { data } = await this.#request<{ data: string }>('peek', this.address + offset, bytes);
    return Buffer.from(data, 'hex');
  }

  async poke(offset: number, data: Buffer): Promise<void> {
    await this.#request('poke', this.address + offset, data.toString('hex'));
  }

  /** Sets every byte. */
  async fill(byte: number): Promise<void> {
    await this.#request('fill', this.address, this.bytes, byte);
  }

  /** Looks for any other byte. */
  async scanByte(byte: number): Promise<ByteScan> {
    const { compared, mismatches, first } = comparison(
      await this.#request('scan-byte', this.address, this.bytes, byte),
    );
    if (first === undefined) return { compared, mismatches };
    return { compared, mismatches, first: { offset: first.offset, value: Number(first.got) } };
  }

  /** Pseudo-random words; word i of the pattern with this seed is the same everywhere. */
  async writePattern(seed: bigint, firstWord = 0): Promise<void> {
    await this.#request('pattern', this.address, this.bytes, seed, firstWord);
  }

  async verifyPattern(seed: bigint, firstWord = 0): Promise<Comparison> {
    return comparison(await this.#request('verify-pattern', this.address, this.bytes, seed, firstWord));
  }

  /** Compares byte by byte with memory of the same length. */
  async compareWith(expected: AgentMapping): Promise<Comparison> {
    return comparison(await this.#request('compare', this.address, this.bytes, expected.address));
  }

  async copyFrom(source: AgentMapping): Promise<void> {
    await this.#request('copy', this.address, this.bytes, source.address);
  }

  /** Marks each page with a signature of its own. @param firstPage index the first page gets */
  async sign(nonce: bigint, firstPage = 0): Promise<void> {
    await this.#request('sign', this.address, this.pageCount, nonce, firstPage);
  }

  async verifySign(nonce: bigint, firstPage = 0): Promise<SignatureCheck> {
    return await this.#request('verify-sign', this.address, this.pageCount, nonce, firstPage);
  }

  /**
   * Which page's signature each page shows: its index in the signed memory, null for none of its pages.
   * @param firstPage as it was given to sign()
   * @param signedPages how many pages were signed then; as many as there are here unless given
   */
  async readSignatures(
    nonce: bigint,
    firstPage = 0,
    signedPages = this.pageCount,
  ): Promise<(number | null)[]> {
    const { runs } = await this.#request<{ runs: [number, number | null, number][] }>(
      'read-sign',
      this.address,
      this.pageCount,
      nonce,
    );
    const index = (page: number): number | null =>
      page >= firstPage && page < firstPage + signedPages ? page - firstPage : null;
    return runs.flatMap(([, sees, count]) =>
      Array.from({ length: count }, (_, at) => (sees === null ? null : index(sees + at))),
    );
  }

  /** Reads one byte of every page, or overwrites the first one. @returns the page faults that took */
  async touch(how: 'read' | 'write', byte = 0): Promise<Faults> {
    return await this.#request('touch', this.address, this.pageCount, how, byte);
  }

  /** The kernel's account of the mapping its first byte lies in. */
  vma(): Promise<Vma | undefined> {
    return vmaAt(this.agent, this.address);
  }

  /** Physical address of each page from /proc/self/pagemap; undefined where it tells none. */
  async pagemap(): Promise<(number | undefined)[]> {
    const { runs } = await this.#request<{ runs: Run[] }>('pagemap', this.address, this.pageCount);
    return runsToPages(runs, this.agent.pageBytes);
  }

  async protect(protection: Protection): Promise<AgentMapping> {
    await this.#request('mprotect', this.address, this.bytes, protection);
    return new AgentMapping(this.agent, this.address, this.bytes, protection);
  }

  async unmap(): Promise<void> {
    await this.#request('munmap', this.address, this.bytes);
  }

  /** mremap(). @param to address, with the flag `fixed` */
  async remap(
    bytes: number,
    flags: ('maymove' | 'fixed' | 'dontunmap')[] = [],
    to?: number,
  ): Promise<AgentMapping> {
    const { address } = await this.#request<{ address: string }>(
      'mremap',
      this.address,
      this.bytes,
      bytes,
      flags.join(',') || 'none',
      ...(to === undefined ? [] : [to]),
    );
    return new AgentMapping(this.agent, Number(address), bytes, this.protection);
  }

  /** madvise(), advice as in `dontneed`, `populate-read`. */
  async advise(advice: string): Promise<void> {
    await this.#request('madvise', this.address, this.bytes, advice);
  }

  async lock(): Promise<void> {
    await this.#request('mlock', this.address, this.bytes);
  }

  async unlock(): Promise<void> {
    await this.#request('munlock', this.address, this.bytes);
  }

  async sync(how: 'sync' | 'async'): Promise<void> {
    await this.#request('msync', this.address, this.bytes, how);
  }

  /** mincore(): one boolean a page. */
  async resident(): Promise<boolean[]> {
    const { resident } = await this.#request<{ resident: string }>('mincore', this.address, this.bytes);
    return [...Buffer.from(resident, 'hex')].map((byte) => (byte & 1) === 1);
  }

  #request<T extends object>(verb: string, ...args: (string | number | bigint)[]): Promise<T> {
    return this.agent.request<T>(verb, ...args);
  }
}

/** @throws SyscallError */
export async function mapMemory(agent: Agent, request: MapRequest): Promise<AgentMapping> {
  const { length, protection = 'rw', shared = true, fd, offset = 0, at = 0, flags = [] } = request;
  const kind = [shared ? 'shared' : 'private', ...(fd === undefined ? ['anonymous'] : []), ...flags];
  const { address } = await agent.request<{ address: string }>(
    'mmap',
    length,
    protection,
    kind.join(','),
    fd ?? -1,
    offset,
    at,
  );
  return new AgentMapping(agent, Number(address), Number(length), protection);
}

export async function anonymousMemory(agent: Agent, bytes: number): Promise<AgentMapping> {
  const mapping = await mapMemory(agent, { length: bytes, shared: false });
  // A kernel without huge pages refuses the advice and needs none.
  await mapping.advise('nohugepage').catch(() => {});
  return mapping;
}

interface RawComparison {
  compared: number;
  mismatches: number;
  first?: { offset: number; expected: string; got: string };
}

function comparison(raw: RawComparison): Comparison {
  const { compared, mismatches, first } = raw;
  if (first === undefined) return { compared, mismatches };
  const { offset, expected, got } = first;
  return { compared, mismatches, first: { offset, expected: BigInt(expected), got: BigInt(got) } };
}
