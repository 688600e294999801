// SPDX-License-Identifier: MIT
/**
 * The page tables as witness: where the CPU itself goes when it follows a mapping, read by the rig's
 * module in probe/ from the tables of the process that mapped. It searches no memory and reads no page, so
 * what misleads it is of another kind than what misleads those who look for signatures; and it knows of
 * mappings without struct pages, of which /proc/PID/pagemap says nothing.
 */
import type { Agent } from '../agent/client.ts';
import { SyscallError } from '../agent/errors.ts';
import { LabError } from '../errors.ts';
import type { PagesSeen, PhysicalRange, Witness } from './witness.ts';

const DEVICE = '/dev/bufrig-probe';
/** struct probe_run of probe/bufrig_probe.c. */
const RUN_BYTES = 32;
/** As many as the module tells at once. */
const RUNS_MOST = 1024;
/** arch/arm64/include/asm/sysreg.h: MAIR_ATTR_*; the same bytes in MAIR0 and MAIR1 of LPAE. */
const armTypes: Readonly<Record<number, MemoryType>> = {
  0x00: 'device',
  0x04: 'device',
  0x0c: 'device',
  0x44: 'write-combined',
  0xbb: 'write-through',
  0xaa: 'write-through',
  0xee: 'write-back',
  0xf0: 'write-back',
  0xff: 'write-back',
};
/** Intel SDM volume 3, table 12-10: the encodings of IA32_PAT. */
const x86Types: Readonly<Record<number, MemoryType>> = {
  0: 'device',
  1: 'write-combined',
  4: 'write-through',
  6: 'write-back',
  7: 'device',
};

/** How the CPU treats the memory; `device` is uncached and strictly ordered. */
export type MemoryType = 'write-back' | 'write-through' | 'write-combined' | 'device';

/** Memory that is mapped in one run. */
export interface MappedRun {
  /** Virtual address of the first byte. */
  address: number;
  physicalAddress: number;
  bytes: number;
  /** Bytes that one entry of the tables maps here: a page, or a large page. */
  entryBytes: number;
  /** The encoding in hexadecimal where it has no name here. */
  memoryType: MemoryType | `0x${string}`;
}

/** A process's mapping, as far as its page tables are looked up. */
export interface Walkable {
  readonly agent: Agent;
  readonly address: number;
  readonly bytes: number;
}

/**
 * The runs that a range of a process is mapped in, in order; what is not mapped is left out. The module
 * is loaded already.
 * @throws LabError `PAGE_TABLES` when they cannot be read
 */
export async function readPageTables({ agent, address, bytes }: Walkable): Promise<MappedRun[]> {
  try {
    const fd = await agent.open(DEVICE, 'rdonly');
    try {
      return await walk(agent, fd, address, address + bytes);
    } finally {
      await agent.close(fd);
    }
  } catch (cause) {
    if (!(cause instanceof SyscallError)) throw cause;
    throw new LabError('PAGE_TABLES', `${agent.label}: cannot read page tables: ${cause.message}`, { cause });
  }
}

async function walk(agent: Agent, fd: number, from: number, end: number): Promise<MappedRun[]> {
  const runs: MappedRun[] = [];
  for (let at = from; at < end;) {
    const told = await agent.read(fd, RUNS_MOST * RUN_BYTES, at);
    const found = decoded(told, agent.hello.machine).filter(({ address }) => address < end);
    runs.push(...found.map((run) => ({ ...run, bytes: Math.min(run.bytes, end - run.address) })));
    const last = found.at(-1);
    // Behind a hole it begins anew with the next page.
    const reached = last === undefined ? at : last.address + last.bytes;
    at = told.length === RUNS_MOST * RUN_BYTES ? reached : reached + agent.pageBytes;
  }
  return runs;
}

function decoded(data: Buffer, machine: string): MappedRun[] {
  const types = /^(x86_64|i\d86)$/.test(machine) ? x86Types : armTypes;
  return Array.from({ length: data.length / RUN_BYTES }, (_, index) => {
    const at = index * RUN_BYTES;
    const encoding = data.readUInt32LE(at + 28);
    return {
      address: Number(data.readBigUInt64LE(at)),
      physicalAddress: Number(data.readBigUInt64LE(at + 8)),
      bytes: Number(data.readBigUInt64LE(at + 16)),
      entryBytes: 2 ** data.readUInt32LE(at + 24),
      memoryType: types[encoding] ?? (`0x${encoding.toString(16)}` as const),
    };
  });
}

export class PageTablesWitness implements Witness {
  readonly name = 'page tables';
  readonly #pageBytes: number;
  readonly #ready: () => Promise<void>;

  /** @param ready sees to it that the module is loaded on the target */
  constructor(pageBytes: number, ready: () => Promise<void>) {
    this.#pageBytes = pageBytes;
    this.#ready = ready;
  }

  async find(
    _nonce: bigint,
    count: number,
    _hints: readonly PhysicalRange[],
    _within: readonly PhysicalRange[] | undefined,
    mapped: readonly Walkable[],
  ): Promise<PagesSeen> {
    await this.#ready();
    const seen: PagesSeen = Array.from({ length: count }, () => []);
    let first = 0;
    for (const mapping of mapped) {
      for (const { address, physicalAddress, bytes } of await readPageTables(mapping)) {
        for (let done = 0; done < bytes; done += this.#pageBytes) {
          const page = first + (address + done - mapping.address) / this.#pageBytes;
          seen[page]?.push(physicalAddress + done);
        }
      }
      first += Math.ceil(mapping.bytes / this.#pageBytes);
    }
    return seen;
  }
}
