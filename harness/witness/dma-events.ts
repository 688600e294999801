// SPDX-License-Identifier: MIT
/**
 * What drivers ask of the kernel's DMA API, told by the kernel itself (include/trace/events/dma.h, Linux 6.12 and
 * later): which memory is handed over between the CPU and which device. In emulation nothing else shows whether
 * caches would have been cleaned, since there are none.
 */
import type { Agent } from '../agent/client.ts';
import { attempt } from '../agent/errors.ts';
import { LabError } from '../errors.ts';
import type { HandOver } from '../judge/observation.ts';

const TRACING = '/sys/kernel/debug/tracing';
/** By one range, by a list of them, and what is mapped for a device is handed over to it. */
const EVENTS = [
  ...[
    'dma_sync_single_for_cpu',
    'dma_sync_single_for_device',
    'dma_sync_sg_for_cpu',
    'dma_sync_sg_for_device',
  ],
  ...['dma_map_page', 'dma_map_phys', 'dma_map_sg'],
];
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
    await this.#agent.writeText(`${TRACING}/trace`, ' ', 'wronly,truncate');
    await work();
    return handOversIn(await this.#agent.readText(`${TRACING}/trace`));
  }

  async end(): Promise<void> {
    for (const switched of this.#switches) await this.#agent.writeText(switched, '0');
    await this.#agent.writeText(`${TRACING}/set_event_pid`, ' ', 'wronly,truncate');
  }
}

/** @param trace as the kernel writes it. @throws LabError `TRACE` */
export function handOversIn(trace: string): HandOver[] {
  const lost = /LOST \d+ EVENTS/.exec(trace)?.[0];
  if (lost !== undefined) throw new LabError('TRACE', `the kernel's trace of the DMA API has ${lost}`);
  // What is mapped without looking at caches is not handed over (Documentation/core-api/dma-attributes.rst).
  const lines = trace
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !/\battrs=\S*SKIP_CPU_SYNC/.test(line));
  return lines.map((line) => {
    const [, how = '', device = '', direction = '', rest = ''] =
      /: dma_(\w+): (\S+) dir=(\w+) (.*)$/.exec(line) ?? [];
    const ranges = rangesIn(rest);
    const known = DIRECTIONS[direction];
    if (known === undefined || ranges.length === 0)
      throw new LabError('TRACE', `an event of the DMA API in words that are not known: ${line.trim()}`);
    return { device, to: how.endsWith('_for_cpu') ? 'cpu' : 'device', direction: known, ranges };
  });
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
