// SPDX-License-Identifier: MIT
/** The machine that measures, as far as it has a say in the figures. */
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

export interface HostFacts {
  cores: number;
  model: string;
  kernel: string;
  memoryBytes: number;
  /** Load averages of 1, 5 and 15 minutes; two cores' worth of bench raises it, so both are kept. */
  loadBefore: number[];
  loadAfter: number[];
}

/** @param loadBefore as `loadavg()` said when the run began */
export function hostFacts(loadBefore: number[]): HostFacts {
  return {
    cores: availableParallelism(),
    model: cpus()[0]?.model.trim() ?? 'unknown',
    kernel: release(),
    memoryBytes: totalmem(),
    loadBefore,
    loadAfter: loadavg(),
  };
}
