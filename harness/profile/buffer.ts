// SPDX-License-Identifier: MIT
/** A buffer of the driver under test and its mappings, as a test sees them. */
import type { Agent } from '../agent/client.ts';
import type { AgentMapping, MapRequest as MemoryRequest, Protection } from '../agent/memory.ts';
import type { Contents, Placement } from '../judge/observation.ts';
import type { Locatable } from '../witness/locate.ts';
import type { Whereabouts } from '../witness/whereabouts.ts';
import type { AllocatedBuffer } from './profile.ts';

/** What a test may say about a mapping; everything else has the usual value. */
export interface MapRequest {
  /** First byte of the buffer to map; may lie outside of it, that is what bounds checks try. */
  at?: number | bigint;
  /** Length in bytes; the whole buffer unless given. */
  bytes?: number;
  /** Readable and writable unless given. */
  protection?: Protection;
  /** Where in the address space, MAP_FIXED_NOREPLACE; the kernel chooses unless given. */
  address?: number;
  /** Shared unless false. */
  shared?: boolean;
  /** Further flags of mmap(); with `fixed` the address replaces what is mapped there. */
  flags?: NonNullable<MemoryRequest['flags']>;
}

export class DriverBuffer {
  readonly label: string;
  readonly allocated: AllocatedBuffer;
  /** Knows where the mappings of this test lie. */
  readonly whereabouts: Whereabouts;
  readonly #agent: Agent;

  constructor(agent: Agent, label: string, allocated: AllocatedBuffer, whereabouts: Whereabouts) {
    this.#agent = agent;
    this.label = label;
    this.allocated = allocated;
    this.whereabouts = whereabouts;
  }

  get pageBytes(): number {
    return this.#agent.pageBytes;
  }

  /** What the driver says it allocated, in bytes. */
  get bytes(): number {
    return this.allocated.allocatedBytes;
  }

  get pages(): number {
    return this.bytes / this.pageBytes;
  }

  /** Whether a program of the agent's kind can say to mmap() that it means byte `at`: 32 bits of 4 KiB in mmap2(). */
  hasOffset(at: bigint): boolean {
    return this.#agent.hello.pointerBytes > 4 || this.offsetOf(at) < 1n << 44n;
  }

  /** @throws SyscallError as mmap answered */
  async map(request: MapRequest = {}): Promise<MappedBuffer> {
    const at = BigInt(request.at ?? 0);
    const mapping = await this.#agent.mmap({
      length: request.bytes ?? this.bytes,
      protection: request.protection ?? 'rw',
      shared: request.shared ?? true,
      fd: this.allocated.fd,
      offset: this.offsetOf(at),
      flags: request.flags ?? (request.address === undefined ? [] : ['fixed-noreplace']),
      ...(request.address === undefined ? {} : { at: request.address }),
    });
    return new MappedBuffer(this, mapping, Number(at));
  }

  /** What mmap() is told for byte `at`. Offsets are 64 bits wide and wrap, which a bounds check may want. */
  offsetOf(at: bigint): bigint {
    return BigInt.asUintN(64, this.allocated.mmapOffset + at);
  }

  /** The same buffer through the same descriptors in another process that has them, too. */
  in(agent: Agent): DriverBuffer {
    return new DriverBuffer(agent, this.label, this.allocated, this.whereabouts);
  }

  /** Closes every descriptor it is held through; mappings stay. */
  close(): Promise<void> {
    return this.allocated.close();
  }

  /** Gives it back to the driver; descriptors stay open. */
  free(): Promise<void> {
    return this.allocated.free();
  }

  /** Lets go of it: after that only mappings hold its memory. */
  release(): Promise<void> {
    return this.allocated.release();
  }

  /** What others can attach it by, where the driver has names. */
  get name(): number | undefined {
    return this.allocated.name;
  }
}

export class MappedBuffer implements Locatable {
  readonly buffer: DriverBuffer;
  readonly mapping: AgentMapping;
  /** First byte of the buffer that is mapped. */
  readonly at: number;

  constructor(buffer: DriverBuffer, mapping: AgentMapping, at: number) {
    this.buffer = buffer;
    this.mapping = mapping;
    this.at = at;
  }

  get label(): string {
    return this.buffer.label;
  }

  get pageCount(): number {
    return this.mapping.pageCount;
  }

  /** A part of the mapping; nothing happens on the target. */
  pages(first: number, count: number): MappedBuffer {
    return new MappedBuffer(this.buffer, this.mapping.pages(first, count), this.at + first * this.pageBytes);
  }

  /** The same pages after they were moved there. */
  movedTo(mapping: AgentMapping): MappedBuffer {
    return new MappedBuffer(this.buffer, mapping, this.at);
  }

  /** The same mapping in another process that has it, too. */
  in(agent: Agent): MappedBuffer {
    return this.movedTo(this.mapping.in(agent));
  }

  /** The process that has it. */
  get agent(): Agent {
    return this.mapping.agent;
  }

  get address(): number {
    return this.mapping.address;
  }

  get bytes(): number {
    return this.mapping.bytes;
  }

  get pageBytes(): number {
    return this.buffer.pageBytes;
  }

  /** What the driver says of the buffer from here on, however much of it is mapped. */
  get claimed(): Placement['claimed'] {
    const { physicalAddress, sizeUntold } = this.buffer.allocated;
    if (physicalAddress === undefined) return {};
    const claimed = { physicalAddress: physicalAddress + this.at };
    return sizeUntold === true ? claimed : { ...claimed, bytes: this.buffer.bytes - this.at };
  }

  sign(nonce: bigint, first: number): Promise<void> {
    return this.mapping.sign(nonce, first);
  }

  readback(nonce: bigint, first: number): Promise<(number | null)[]> {
    return this.mapping.readSignatures(nonce, first);
  }

  /** Compares every byte with `expected`. */
  async compare(expected: number): Promise<Contents> {
    const { compared, mismatches, first } = await this.mapping.scanByte(expected);
    return {
      label: this.label,
      bytes: this.bytes,
      compared,
      expected,
      mismatches,
      ...(first === undefined ? {} : { first }),
      pageBytes: this.pageBytes,
    };
  }

  unmap(): Promise<void> {
    return this.mapping.unmap();
  }
}
