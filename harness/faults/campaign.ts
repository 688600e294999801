// SPDX-License-Identifier: MIT
/** The campaign: for each fault one run of the selection, in which it is brought about from outside. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabError, messageOf } from '../errors.ts';
import { Undo } from '../undo.ts';
import type { Fault, Scene } from './fault.ts';
import { FaultFolder } from './fault-folder.ts';
import { judgeFault, type Happened, type Judgement } from './judgement.ts';
import type { RunningGuest } from './running-guest.ts';
import { SmallDisk } from './small-disk.ts';
import { allLeft, WatchedRun, type RunPlaces } from './watched-run.ts';

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
      // Of the rig nothing is known then.
      outcome: 'not-injected',
      happened: `the campaign itself could not go on: ${messageOf(error)}`,
      wrong: [],
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
  const folder = await FaultFolder.create();
  undo.add('remove what the run had for the moment', () => folder.dispose());
  const keep = join(campaign.folder, fault.id);
  await rm(keep, { recursive: true, force: true });
  const disk = fault.smallDisk === undefined ? undefined : await folder.addDisk();
  const small = (use: Fault['smallDisk'], otherwise: string): string =>
    fault.smallDisk === use && disk !== undefined ? disk.path : otherwise;
  const places: RunPlaces = {
    reports: join(small('reports', keep), 'reports'),
    output: join(small('temporary', keep), 'output'),
    temporary: join(small('temporary', folder.path), 'tmp'),
  };
  const watched = await WatchedRun.start(campaign, places);
  const twins: WatchedRun[] = [];
  const scene = sceneOf(watched, disk, async () => {
    const own = join(keep, 'twin');
    const temporary = join(folder.path, 'twin');
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
    left: allLeft(left),
    ...(twin === undefined ? {} : { twin }),
    ...(missed === undefined ? {} : { missed }),
  };
}

function sceneOf(watched: WatchedRun, disk: SmallDisk | undefined, startTwin: () => Promise<void>): Scene {
  const until = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (watched.over) throw new LabError('FAULT', `the run ended before ${what}`);
      await sleep(PAUSE);
    }
  };
  const guestIn = async (title: string): Promise<RunningGuest | undefined> => {
    for (const guest of await watched.guests()) if (await guest.isIn(title)) return guest;
    return undefined;
  };
  return {
    run: watched.child,
    guestIn: (title) => until(`${title} began`, () => guestIn(title)),
    endOf: async (title) => {
      await until(`${title} was over`, async () => (await guestIn(title)) === undefined || undefined);
    },
    processes: (part) =>
      [...watched.processes()].filter(([, command]) => command.includes(part)).map(([pid]) => pid),
    fillDisk: async () => disk?.fill(),
    emptyDisk: async () => disk?.empty(),
    startTwin,
  };
}
