// SPDX-License-Identifier: MIT
/**
 * What drivers ask of the kernel's DMA API, told by the kernel itself (include/trace/events/dma.h, Linux 6.12 and
 * later): which memory is handed over between the CPU and which device, and what of the API is taken and given back. In
 * emulation nothing else shows whether caches would have been cleaned, since there are none, nor that addresses are
 * left taken that an IOMMU has few of.
 */
import type { Agent } from '../agent/client.ts';
import { attempt } from '../agent/errors.ts';
import { LabError } from '../errors.ts';
import type { HandOver } from '../judge/observation.ts';

const TRACING = '/sys/kernel/debug/tracing';
/** By one range, and by a list of them. */
const SYNCS = ['single_for_cpu', 'single_for_device', 'sg_for_cpu', 'sg_for_device'].map(
  (how) => `dma_sync_${how}`,
);
/** What is mapped for a device is handed over to it; each kernel has one of the first two. */
const MAPS = ['dma_map_page', 'dma_map_phys', 'dma_map_sg'];
/** What is to be given back, for everything that can be taken; and what of it goes one way or the other. */
const PAIRS = {
  'mapped ranges': {
    taken: ['dma_map_page', 'dma_map_phys'],
    given: ['dma_unmap_page', 'dma_unmap_phys'],
    directed: true,
  },
  'mapped lists': { taken: ['dma_map_sg'], given: ['dma_unmap_sg'], directed: true },
  'pieces of memory': {
    taken: ['dma_alloc', 'dma_alloc_pages'],
    given: ['dma_free', 'dma_free_pages'],
    directed: false,
  },
};
const HAND_OVERS = new Set([...SYNCS, ...MAPS]);
const EVENTS = new Set([
  ...HAND_OVERS,
  ...Object.values(PAIRS).flatMap(({ taken, given }) => [...taken, ...given]),
]);
/** More than a check makes the kernel say; it is as much again for each processor. */
const KILOBYTES = 256;

const DIRECTIONS: Record<string, HandOver['direction'] | undefined> = {
  BIDIRECTIONAL: 'both',
  TO_DEVICE: 'to-device',
  FROM_DEVICE: 'from-device',
};

export class DmaEvents {
  readonly #agent: Agent;
  readonly #switches: readonly string[];

  private constructor(agent: Agent, switches: readonly string[]) {
    this.#agent = agent;
    this.#switches = switches;
  }

  /**
   * Has the kernel write down what this agent's calls ask for, until {@link end}.
   * @returns undefined for a kernel that tells nothing of it
   */
  static async begin(agent: Agent): Promise<DmaEvents | undefined> {
    const switches: string[] = [];
    const setPid = (pid: string) => agent.writeText(`${TRACING}/set_event_pid`, pid, 'wronly,truncate');
    for (const event of EVENTS) {
      const switched = `${TRACING}/events/dma/${event}/enable`;
      // Each kernel has one of the names for what is mapped.
      if ((await attempt(() => agent.readText(switched))).ok === undefined) continue;
      if (switches.length === 0) await setPid(String(agent.hello.pid));
      await agent.writeText(switched, '1');
      switches.push(switched);
    }
    if (switches.length === 0) return undefined;
    await agent.writeText(`${TRACING}/buffer_size_kb`, String(KILOBYTES));
    return new DmaEvents(agent, switches);
  }

  /**
   * What was handed over meanwhile, in that order.
   * @throws LabError `TRACE` when the kernel lost some of it or says it in words that are not known
   */
  async during(work: () => Promise<unknown>): Promise<HandOver[]> {
    return handOversIn(await this.#traced(work));
  }

  /**
   * How often each kind of thing was taken, and given back, meanwhile.
   * @throws LabError `TRACE` when the kernel lost some of it
   */
  async balanceOf(work: () => Promise<unknown>): Promise<Taken> {
    return takenIn(await this.#traced(work));
  }

  async #traced(work: () => Promise<unknown>): Promise<string> {
    await this.#agent.writeText(`${TRACING}/trace`, ' ', 'wronly,truncate');
    await work();
    return this.#agent.readText(`${TRACING}/trace`);
  }

  async end(): Promise<void> {
    for (const switched of this.#switches) await this.#agent.writeText(switched, '0');
    await this.#agent.writeText(`${TRACING}/set_event_pid`, ' ', 'wronly,truncate');
  }
}

/** How often, of each kind of thing that a driver had of the DMA API. */
export type Taken = Record<string, { taken: number; given: number }>;

/**
 * What was mapped is counted for each direction by itself: it has to be given back in the one it was taken in, or what
 * the device wrote is not seen (Documentation/core-api/dma-api.rst: all parameters must be those of mapping).
 * @param trace as the kernel writes it
 * @throws LabError `TRACE`
 */
export function takenIn(trace: string): Taken {
  const balance: Taken = {};
  for (const { name, line } of eventsIn(trace)) {
    for (const [kind, { taken, given, directed }] of Object.entries(PAIRS)) {
      if (![...taken, ...given].includes(name)) continue;
      const what = directed ? `${kind}, ${directionIn(line)}` : kind;
      const count = (balance[what] ??= { taken: 0, given: 0 });
      count[taken.includes(name) ? 'taken' : 'given'] += 1;
    }
  }
  return balance;
}

/** @throws LabError `TRACE` for one that is not known */
function directionIn(line: string): HandOver['direction'] {
  const known = DIRECTIONS[/ dir=(\w+)/.exec(line)?.[1] ?? ''];
  if (known === undefined) throw notKnown(line);
  return known;
}

/** @throws LabError `TRACE` when the kernel lost some, or tells of what nobody asked for */
function eventsIn(trace: string): { name: string; line: string }[] {
  const lost = /LOST \d+ EVENTS/.exec(trace)?.[0];
  if (lost !== undefined) throw new LabError('TRACE', `the kernel's trace of the DMA API has ${lost}`);
  const lines = trace.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const name = /: (\w+): /.exec(line)?.[1] ?? '';
    if (!EVENTS.has(name)) throw notKnown(line);
    return { name, line };
  });
}

/** @param trace as the kernel writes it. @throws LabError `TRACE` */
export function handOversIn(trace: string): HandOver[] {
  // What is mapped without looking at caches is not handed over (Documentation/core-api/dma-attributes.rst).
  const lines = eventsIn(trace)
    .filter(({ name, line }) => HAND_OVERS.has(name) && !/\battrs=\S*SKIP_CPU_SYNC/.test(line))
    .map(({ line }) => line);
  return lines.map((line) => {
    const [, how = '', device = '', direction = '', rest = ''] =
      /: dma_(\w+): (\S+) dir=(\w+) (.*)$/.exec(line) ?? [];
    const ranges = rangesIn(rest);
    const known = DIRECTIONS[direction];
    if (known === undefined || ranges.length === 0) throw notKnown(line);
    return { device, to: how.endsWith('_for_cpu') ? 'cpu' : 'device', direction: known, ranges };
  });
}

function notKnown(line: string): LabError {
  return new LabError('TRACE', `an event of the DMA API in words that are not known: ${line.trim()}`);
}

function rangesIn(text: string): HandOver['ranges'] {
  const one = /\bdma_addr=([\da-f]+) size=(\d+)/.exec(text);
  if (one !== null) return [{ address: Number.parseInt(one[1] ?? '', 16), bytes: Number(one[2]) }];
  const [, addresses = '', sizes = ''] = /\bdma_addrs=\{(.*?)\} sizes=\{(.*?)\}/.exec(text) ?? [];
  const bytes = sizes.split(',').map(Number);
  return addresses
    .split(',')
    .filter(Boolean)
    .map((address, index) => ({ address: Number(address), bytes: bytes[index] ?? Number.NaN }));
}
