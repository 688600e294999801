// SPDX-License-Identifier: MIT
/** The campaign: for each fault one run of the selection, in which it is brought about from outside. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSuite, type SuiteChild } from '../campaign/suite-run.ts';
import { LabError, messageOf } from '../errors.ts';
import { Undo } from '../undo.ts';
import type { Fault, Scene } from './fault.ts';
import { SELECTION } from './faults.ts';
import { judgeFault, type Happened, type Judgement } from './judgement.ts';
import { RunningGuest } from './running-guest.ts';
import { SmallDisk } from './small-disk.ts';
import { leftOf, noTraces, together, tracesOf, type Traces } from './traces.ts';

export interface FaultResult extends Judgement, Pick<Fault, 'id' | 'what' | 'when' | 'must'> {
  seconds: number;
}

export interface FaultCampaign {
  /** Absolute path of the checkout. */
  project: string;
  /** Of playwright.config.ts: the guest. */
  guest: string;
  /** Folder for what the runs leave; those of faults that ended as they should are removed. */
  folder: string;
  signal: AbortSignal;
  environment: Readonly<Record<string, string | undefined>>;
  /** Called with each as soon as it is known. */
  onResult: (result: FaultResult) => Promise<void>;
}

/** A fault may come too late on a busy machine. */
const TRIES = 2;
/** Milliseconds between two looks at what a run is doing. */
const PAUSE = 25;
/** Milliseconds for the last trace of a run to go. */
const GONE_LIMIT = 60_000;
/** Where Playwright keeps what it compiled; its own choice would be the run's temporary folder. */
const COMPILED = join(tmpdir(), `playwright-transform-cache-${process.getuid?.() ?? 0}`);

/** One after the other, until all are done or it is aborted. */
export async function runFaults(faults: readonly Fault[], campaign: FaultCampaign): Promise<void> {
  for (const fault of faults) {
    const begun = performance.now();
    const judgement = await tried(fault, campaign);
    if (campaign.signal.aborted) break;
    const { id, what, when, must } = fault;
    const seconds = Math.round((performance.now() - begun) / 1000);
    if (judgement.outcome === 'right') await rm(join(campaign.folder, id), { recursive: true, force: true });
    await campaign.onResult({ id, what, when, must, ...judgement, seconds });
  }
}

async function tried(fault: Fault, campaign: FaultCampaign): Promise<Judgement> {
  const disk = fault.smallDisk === undefined ? undefined : SmallDisk.whyNot();
  const why = disk ?? (await fault.impossible?.());
  if (why !== undefined) return { outcome: 'not-run', happened: why, wrong: [] };
  let judgement: Judgement | undefined;
  for (let tries = 0; tries < TRIES && !campaign.signal.aborted; tries += 1) {
    judgement = await once(fault, campaign).catch((error: unknown): Judgement => ({
      outcome: 'wrong',
      happened: messageOf(error),
      wrong: ['the campaign itself could not go on'],
    }));
    if (judgement.outcome !== 'not-injected') break;
  }
  return judgement ?? { outcome: 'not-injected', happened: 'cut short', wrong: [] };
}

async function once(fault: Fault, campaign: FaultCampaign): Promise<Judgement> {
  const undo = new Undo();
  try {
    return judgeFault(fault, await brokenRun(fault, campaign, undo));
  } finally {
    await undo.run();
  }
}

/** One run in which the fault is brought about, watched to its end and beyond. */
async function brokenRun(fault: Fault, campaign: FaultCampaign, undo: Undo): Promise<Happened> {
  // Short, since sockets lie in it; and not in the folder of the results, which the run may not clean up.
  const base = await mkdtemp(join(tmpdir(), 'bufrig-fault-'));
  undo.add('remove what the run had for the moment', () => rm(base, { recursive: true, force: true }));
  const keep = join(campaign.folder, fault.id);
  await rm(keep, { recursive: true, force: true });
  const disk = fault.smallDisk === undefined ? undefined : await SmallDisk.mount(join(base, 'small'));
  if (disk !== undefined) undo.add('unmount the small disk', () => disk.unmount());
  const small = (use: Fault['smallDisk'], otherwise: string): string =>
    fault.smallDisk === use && disk !== undefined ? disk.path : otherwise;
  const places = {
    reports: join(small('reports', keep), 'reports'),
    output: join(small('temporary', keep), 'output'),
    temporary: join(small('temporary', base), 'tmp'),
  };
  const watched = await WatchedRun.start(campaign, places);
  const twins: WatchedRun[] = [];
  const scene = sceneOf(watched, disk, async () => {
    const own = join(keep, 'twin');
    const temporary = join(base, 'twin');
    twins.push(await WatchedRun.start(campaign, { reports: own, output: join(own, 'output'), temporary }));
  });
  const missed = await fault.inject(scene).then(
    () => undefined,
    (error: unknown) => messageOf(error),
  );
  const [report, twin] = await Promise.all([watched, ...twins].map((one) => one.child.report));
  if (report === undefined) throw new LabError('FAULT', 'there was no run');
  await mkdir(keep, { recursive: true });
  await writeFile(join(keep, 'said.txt'), report.said);
  const left = await Promise.all([watched, ...twins].map((one) => one.whatIsLeft()));
  return {
    report,
    left: allOf(left),
    ...(twin === undefined ? {} : { twin }),
    ...(missed === undefined ? {} : { missed }),
  };
}

type LeftOver = Happened['left'];

function allOf(left: readonly LeftOver[]): LeftOver {
  return {
    processes: left.flatMap(({ processes }) => processes),
    ports: left.flatMap(({ ports }) => ports),
    folders: left.flatMap(({ folders }) => folders),
    locks: left.flatMap(({ locks }) => locks),
    temporary: left.flatMap(({ temporary }) => temporary),
  };
}

interface Places {
  reports: string;
  output: string;
  temporary: string;
}

/** A run of the selection, whose traces on this machine are taken down while it goes on. */
class WatchedRun {
  readonly child: SuiteChild;
  /** In the environment of everything it starts. */
  readonly setting: string;
  readonly #temporary: string;
  #traces: Traces = noTraces;
  #over = false;

  private constructor(child: SuiteChild, setting: string, temporary: string) {
    this.child = child;
    this.setting = setting;
    this.#temporary = temporary;
    const over = (): void => void (this.#over = true);
    child.report.then(over, over);
    void this.#watch();
  }

  static async start(campaign: FaultCampaign, { reports, output, temporary }: Places): Promise<WatchedRun> {
    const { project, guest, signal, environment } = campaign;
    await mkdir(temporary, { recursive: true });
    const child = await startSuite({
      ...{ project, guest, signal, environment, output, grep: SELECTION, append: [], slow: false },
      folder: reports,
      variables: { TMPDIR: temporary, PWTEST_CACHE_DIR: COMPILED },
    });
    return new WatchedRun(child, `BUFRIG_REPORTS=${reports}`, temporary);
  }

  get over(): boolean {
    return this.#over;
  }

  /** Waits for its last trace to go, and gives up some time after its end. */
  async whatIsLeft(): Promise<LeftOver> {
    const deadline = performance.now() + GONE_LIMIT;
    for (;;) {
      const temporary = await readdir(this.#temporary).catch(() => []);
      const left = { ...leftOf(this.#traces, this.setting), temporary };
      if (Object.values(left).every(({ length }) => length === 0) || performance.now() > deadline)
        return left;
      await sleep(500);
    }
  }

  async #watch(): Promise<void> {
    while (!this.#over) {
      this.#traces = together(this.#traces, tracesOf(this.setting));
      await sleep(500);
    }
  }
}

function sceneOf(watched: WatchedRun, disk: SmallDisk | undefined, startTwin: () => Promise<void>): Scene {
  const { child, setting } = watched;
  const until = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (watched.over) throw new LabError('FAULT', `the run ended before ${what}`);
      await sleep(PAUSE);
    }
  };
  const guestIn = async (title: string): Promise<RunningGuest | undefined> => {
    for (const guest of await RunningGuest.of(setting)) if (await guest.isIn(title)) return guest;
    return undefined;
  };
  return {
    run: child,
    guestIn: (title) => until(`${title} began`, () => guestIn(title)),
    endOf: async (title) => {
      await until(`${title} was over`, async () => (await guestIn(title)) === undefined || undefined);
    },
    processes: (part) =>
      [...tracesOf(setting).processes].filter(([, command]) => command.includes(part)).map(([pid]) => pid),
    fillDisk: async () => disk?.fill(),
    emptyDisk: async () => disk?.empty(),
    startTwin,
  };
}
