// SPDX-License-Identifier: MIT
/** A buffer of the driver under test and its mappings, as a test sees them. */
import type { Agent } from '../agent/client.ts';
import type { AgentMapping } from '../agent/memory.ts';
import type { Contents, PageOrder, Placement } from '../judge/observation.ts';
import type { AllocatedBuffer } from './profile.ts';

/** What a test may say about a mapping; everything else has the usual value. */
export interface MapRequest {
  /** First byte of the buffer to map; may lie outside of it, that is what bounds checks try. */
  at?: number | bigint;
  /** Length in bytes; the whole buffer unless given. */
  bytes?: number;
  protection?: 'r' | 'w' | 'rw' | 'none';
  shared?: boolean;
}

export class DriverBuffer {
  readonly label: string;
  readonly allocated: AllocatedBuffer;
  readonly #agent: Agent;

  constructor(agent: Agent, label: string, allocated: AllocatedBuffer) {
    this.#agent = agent;
    this.label = label;
    this.allocated = allocated;
  }

  /** What the driver says it allocated, in bytes. */
  get bytes(): number {
    return this.allocated.allocatedBytes;
  }

  /** @throws SyscallError as mmap answered */
  async map(request: MapRequest = {}): Promise<MappedBuffer> {
    const mapping = await this.#agent.mmap({
      length: request.bytes ?? this.bytes,
      protection: request.protection ?? 'rw',
      shared: request.shared ?? true,
      fd: this.allocated.fd,
      offset: BigInt.asUintN(64, this.allocated.mmapOffset + BigInt(request.at ?? 0)),
    });
    return new MappedBuffer(this, mapping);
  }

  close(): Promise<void> {
    return this.allocated.close();
  }

  free(): Promise<void> {
    return this.allocated.free();
  }
}
