// SPDX-License-Identifier: MIT
/** A run of the selection, whose traces on this machine are taken down while it goes on and looked for afterwards. */
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSuite, type SuiteChild, type SuiteRun } from '../campaign/suite-run.ts';
import { messageOf } from '../errors.ts';
import { insistOnSound } from '../target/qemu/saved-guest.ts';
import { SELECTION } from './faults.ts';
import { RunningGuest } from './running-guest.ts';
import { leftOf, noTraces, together, tracesOf, type Left, type Traces } from './traces.ts';

/** Milliseconds between two looks at what it has on this machine. */
const PAUSE = 500;
/** Milliseconds for the last trace of a run to go. */
const GONE_LIMIT = 60_000;
/** Where Playwright keeps what it compiled; its own choice would be the run's temporary folder. */
const COMPILED = join(tmpdir(), `playwright-transform-cache-${process.getuid?.() ?? 0}`);

/** Where a run puts things. */
export interface RunPlaces {
  reports: string;
  output: string;
  temporary: string;
}

/** What was left on this machine. */
export interface LeftOver extends Left {
  /** In the folder for what is temporary. */
  temporary: string[];
  /** Saved guests that its guests were copies of, and that are not as they were. */
  snapshots: string[];
}

export class WatchedRun {
  readonly child: SuiteChild;
  /** In the environment of everything it starts. */
  readonly #setting: string;
  readonly #temporary: string;
  readonly #saved = new Set<string>();
  #traces: Traces = noTraces;
  #over = false;

  private constructor(child: SuiteChild, { reports, temporary }: RunPlaces) {
    this.child = child;
    this.#setting = `BUFRIG_REPORTS=${reports}`;
    this.#temporary = temporary;
    const over = (): void => void (this.#over = true);
    child.report.then(over, over);
    void this.#watch();
  }

  static async start(
    run: Pick<SuiteRun, 'project' | 'guest' | 'signal' | 'environment'>,
    places: RunPlaces,
  ): Promise<WatchedRun> {
    const { project, guest, signal, environment } = run;
    const { reports, output, temporary } = places;
    await mkdir(temporary, { recursive: true });
    const child = await startSuite({
      ...{ project, guest, signal, environment, output, grep: SELECTION, append: [], slow: false },
      folder: reports,
      workers: 1,
      // The tests of a file share a guest, so what a fault leaves in one meets the next.
      variables: { TMPDIR: temporary, PWTEST_CACHE_DIR: COMPILED, BUFRIG_ISOLATION: 'file' },
    });
    return new WatchedRun(child, places);
  }

  get over(): boolean {
    return this.#over;
  }

  async guests(): Promise<RunningGuest[]> {
    const guests = await RunningGuest.of(this.#setting);
    for (const { saved } of guests) this.#saved.add(saved);
    return guests;
  }

  /** Its processes by id, each with its command line. */
  processes(): Map<number, string> {
    return tracesOf(this.#setting).processes;
  }

  /** Waits for its last trace to go, and gives up some time after its end. */
  async whatIsLeft(): Promise<LeftOver> {
    const deadline = performance.now() + GONE_LIMIT;
    for (;;) {
      const left = {
        ...leftOf(this.#traces, this.#setting),
        temporary: await readdir(this.#temporary).catch(() => []),
        snapshots: await this.#damaged(),
      };
      if (Object.values(left).every(({ length }) => length === 0) || performance.now() > deadline)
        return left;
      await sleep(PAUSE);
    }
  }

  async #watch(): Promise<void> {
    while (!this.#over) {
      this.#traces = together(this.#traces, tracesOf(this.#setting));
      await sleep(PAUSE);
    }
  }

  /** One that is gone was thrown away by somebody who had a better one. */
  async #damaged(): Promise<string[]> {
    const there = [...this.#saved].filter((directory) => existsSync(join(directory, 'manifest.json')));
    const sound = there.map((directory) =>
      insistOnSound(directory).then(
        () => [],
        (error) => [messageOf(error)],
      ),
    );
    return (await Promise.all(sound)).flat();
  }
}

/** Of several runs. */
export function allLeft(left: readonly LeftOver[]): LeftOver {
  return {
    processes: left.flatMap(({ processes }) => processes),
    ports: left.flatMap(({ ports }) => ports),
    folders: left.flatMap(({ folders }) => folders),
    locks: left.flatMap(({ locks }) => locks),
    temporary: left.flatMap(({ temporary }) => temporary),
    snapshots: left.flatMap(({ snapshots }) => snapshots),
  };
}
