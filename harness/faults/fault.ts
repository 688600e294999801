// SPDX-License-Identifier: MIT
/** What a fault of the lab is: how it is brought about while a healthy selection of the suite runs, and what has to come of it. */
import type { SuiteChild } from '../campaign/suite-run.ts';
import type { RunningGuest } from './running-guest.ts';

/** What a fault may reach. */
export interface Scene {
  run: SuiteChild;
  /** Waits until the guest of this test is at work on it. @throws LabError when the run ends before */
  guestIn(title: string): Promise<RunningGuest>;
  /** Waits until this test is over. */
  endOf(title: string): Promise<void>;
  /** Process ids of the run whose command lines contain this. */
  processes(part: string): number[];
  /** Fills the small file system that the fault asked for, until nothing more fits. */
  fillDisk(): Promise<void>;
  /** Makes room there again. */
  emptyDisk(): Promise<void>;
  /** A second run of the same tests, at the same time. */
  startTwin(): Promise<void>;
}

/**
 * What had to happen. `infra`: one test is blamed on the lab and all others pass; `pass`: all do, one of
 * them slowly; `told`: the run cannot leave its summary, and says on the terminal that the lab is red.
 */
export type Promised =
  | { outcome: 'infra'; cause: RegExp }
  | { outcome: 'pass'; atLeastSeconds?: number }
  | { outcome: 'told'; cause: RegExp };

export interface Fault {
  /** For example `link-cut`. */
  id: string;
  /** What breaks, in a few words. */
  what: string;
  /** When, in a few words. */
  when: string;
  /** What has to come of it, in a few words. */
  must: string;
  /** The test during which it breaks, without describe blocks. */
  victim: string;
  promised: Promised;
  /** What of the run lies on a small file system of its own, which needs root: what is temporary, or the reports. */
  smallDisk?: 'temporary' | 'reports';
  /** Why it cannot be brought about on this machine; undefined when it can. */
  impossible?(): Promise<string | undefined>;
  /** Brings it about. @throws LabError `FAULT` when it could not */
  inject(scene: Scene): Promise<void>;
}
