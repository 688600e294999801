// SPDX-License-Identifier: MIT
/** What the target's kernel tells about mappings and pages: smaps, maps, pagemap, kpageflags. */
import type { Agent } from './client.ts';

/** One mapping as the kernel shows it in /proc/self/smaps. */
export interface Vma {
  start: number;
  end: number;
  /** As in `rw-s`. */
  permissions: string;
  /** The offset column, in bytes. For a private PFN mapping this is a physical address. */
  offset: bigint;
  path: string;
  /** VmFlags, two letters each: rd wr sh mr mw me ms io pf de dd mm ... */
  flags: string[];
  /** The sizes smaps lists, in bytes: Size, Rss, Pss, ... */
  sizes: Record<string, number>;
}

interface RawMap {
  start: string;
  end: string;
  permissions: string;
  offset: string;
  path: string;
}

interface RawVma extends RawMap {
  mapped: boolean;
  flags?: string[];
  kilobytes: Record<string, number>;
}

/** A run of pages as the agent sends it; `physical` is null where nothing is known. */
export interface Run {
  page: number;
  pages: number;
  present: boolean;
  physical: string | null;
  flags: string;
}

/** The mapping at this address, or undefined where nothing is mapped. */
export async function vmaAt(agent: Agent, address: number): Promise<Vma | undefined> {
  const raw = await agent.request<RawVma>('vma', address);
  if (!raw.mapped) return undefined;
  const sizes: Vma['sizes'] = {};
  for (const [name, kilobytes] of Object.entries(raw.kilobytes)) sizes[name] = kilobytes * 1024;
  return { ...mapOf(raw), flags: raw.flags ?? [], sizes };
}

/** All mappings of the agent's process, without flags and sizes. */
export async function allMaps(agent: Agent): Promise<Omit<Vma, 'flags' | 'sizes'>[]> {
  return (await agent.request<{ maps: RawMap[] }>('maps')).maps.map(mapOf);
}

function mapOf(raw: RawMap): Omit<Vma, 'flags' | 'sizes'> {
  return {
    start: Number(raw.start),
    end: Number(raw.end),
    permissions: raw.permissions,
    offset: BigInt(raw.offset),
    path: raw.path,
  };
}

/** One physical address a page, undefined where the run has none. */
export function runsToPages(runs: readonly Run[], pageBytes: number): (number | undefined)[] {
  return runs.flatMap(({ pages, physical }) =>
    Array.from({ length: pages }, (_, index) =>
      physical === null ? undefined : Number(physical) + index * pageBytes,
    ),
  );
}

/** What a search of physical memory from inside found. */
export interface CoreSearch {
  /** Every place a signature was seen, as runs of pages behind each other; a page may occur often. */
  runs: { firstPage: number; physicalAddress: number; pages: number }[];
  /** Bytes of physical memory looked at. */
  scannedBytes: number;
  /** System RAM according to /proc/iomem that could not be looked at; undefined: it does not tell. */
  unseenBytes: number | undefined;
  unseen: { physical: string; bytes: string }[];
  /** Pages the kernel would not show. */
  unreadablePages: number;
  /** Signatures of this nonce with a page number beyond `pages`. */
  strays: number;
}

/** A range of physical addresses, in bytes. */
export interface PhysicalRange {
  physicalAddress: number;
  bytes: number;
}

/** How many ranges one request can name: it has at most 64 arguments. */
export const CORE_RANGES_MOST = 30;

interface RawSearch {
  runs: [number, string, number][];
  scanned: string;
  strays: number;
  unreadablePages: number;
  unseen: { physical: string; bytes: string }[];
  unseenBytes: string;
  ramRanges: number;
}

/**
 * Searches all physical memory through /proc/kcore for the signatures of one nonce.
 * @param files other files to read in place of /proc/kcore and /proc/iomem; for tests
 * @throws SyscallError where the kernel has no kcore
 */
export async function searchCore(
  agent: Agent,
  nonce: bigint,
  pages: number,
  files?: { core: string; iomem: string },
): Promise<CoreSearch> {
  const paths = files === undefined ? [] : [files.core, files.iomem];
  const raw = await agent.request<RawSearch>('kcore-find', nonce, pages, ...paths);
  return {
    runs: coreRuns(raw),
    scannedBytes: Number(raw.scanned),
    unseenBytes: raw.ramRanges === 0 ? undefined : Number(raw.unseenBytes),
    unseen: raw.unseen,
    unreadablePages: raw.unreadablePages,
    strays: raw.strays,
  };
}

/**
 * The same within a few ranges only, at most {@link CORE_RANGES_MOST}. Fast; that a page was not
 * found there says nothing about where it is.
 */
export async function lookInCore(
  agent: Agent,
  nonce: bigint,
  pages: number,
  ranges: readonly PhysicalRange[],
): Promise<CoreSearch['runs']> {
  const where = ranges.flatMap(({ physicalAddress, bytes }) => [physicalAddress, bytes]);
  return coreRuns(await agent.request<RawSearch>('kcore-look', nonce, pages, ...where));
}

/**
 * The same as a device reads memory by DMA: QEMU's fw_cfg. Ranges as for {@link lookInCore}.
 * @param registers physical address of the device's registers
 * @throws SyscallError where /dev/mem does not give them out, or the device lacks what it takes
 */
export async function lookByDma(
  agent: Agent,
  registers: number,
  search: { nonce: bigint; pages: number },
  ranges: readonly PhysicalRange[],
): Promise<CoreSearch['runs']> {
  const { nonce, pages } = search;
  const where = ranges.flatMap(({ physicalAddress, bytes }) => [physicalAddress, bytes]);
  return coreRuns(await agent.request<RawSearch>('device-look', registers, nonce, pages, ...where));
}

function coreRuns({ runs }: Pick<RawSearch, 'runs'>): CoreSearch['runs'] {
  return runs.map(([firstPage, physical, pages]) => ({
    firstPage,
    physicalAddress: Number(physical),
    pages,
  }));
}
