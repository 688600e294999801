// SPDX-License-Identifier: MIT
/** A target made ready for a test: agent deployed, kernel log followed, driver freshly loaded. */
import { readFile } from 'node:fs/promises';
import { Agent, greetingLimit } from '../agent/client.ts';
import { architectureOfPrograms } from '../build/architectures.ts';
import type { Cache } from '../build/cache.ts';
import { buildAgent } from '../build/program.ts';
import { Deadline } from '../deadline.ts';
import { KernelCrash } from '../errors.ts';
import { insistOnSilence, Listening } from '../kernel-log/listening.ts';
import { KernelLogWatch } from '../kernel-log/watch.ts';
import { loadDriver, unloadDriver } from '../profile/loaded-driver.ts';
import type { FileRun } from '../measure/lines-run.ts';
import type { DriverProfile } from '../profile/profile.ts';
import type { TargetSource } from '../target/source.ts';
import type { Target, TargetFacts } from '../target/target.ts';
import { Undo } from '../undo.ts';
import { countedLines } from './counted-lines.ts';
import { codeOf, looksForLostMemory, lostMemory } from './lost-memory.ts';
import { DriverFiles, type DriverFacts, type DriverSettings } from './driver-files.ts';
import type { Making } from './supply.ts';

/** Milliseconds on hardware that a request may take from when the kernel has lost a task, and with it perhaps a lock. */
const BROKEN_KERNEL_LIMIT = 6_000;
/** Milliseconds for everything up to a login; the first time ever includes downloads. */
export const TAKE_LIMIT = 15 * 60_000;

/** Starts agents on the target; each is a process of its own. */
export type StartAgent = () => Promise<Agent>;

export interface ReadyTarget {
  target: Target;
  /** Path on the target of the agent's program. */
  agentPath: string;
  startAgent: StartAgent;
  /** The target's kernel log, from before the driver is loaded to after it is gone. */
  kernelLog: KernelLogWatch;
  driver: Driver;
}

export interface Driver {
  profile: DriverProfile;
  facts: DriverFacts;
  /** The module's file on the target. */
  path: string;
}

/** A ready target, and what its maker needs to know about it. */
interface Made extends ReadyTarget {
  scribe: Agent;
  /** Since the driver was loaded and nobody has used it. */
  idle: Listening | undefined;
  /** Ability: its kernel finds memory that nobody points to. */
  looksForLostMemory: boolean;
}

export class ReadyTargets implements Making<ReadyTarget> {
  readonly #source: TargetSource;
  readonly #cache: Cache;
  readonly #profile: DriverProfile;
  readonly #files: DriverFiles;
  readonly #onLinesRun: (files: readonly FileRun[]) => Promise<void>;
  readonly #made = new Map<ReadyTarget, Made>();
  #facts: TargetFacts | undefined;

  /** @param onLinesRun told which lines of the driver ran, for each target on which it counts them */
  constructor(
    source: TargetSource,
    cache: Cache,
    profile: DriverProfile,
    settings: DriverSettings = {},
    onLinesRun: (files: readonly FileRun[]) => Promise<void> = async () => {},
  ) {
    this.#onLinesRun = onLinesRun;
    this.#source = source;
    this.#cache = cache;
    this.#profile = profile;
    this.#files = new DriverFiles(cache, profile, settings);
  }

  get ahead(): boolean {
    return this.#source.pristine;
  }

  /** Of the target that was made last, and so of the next one; undefined before the first. */
  get foreseenFacts(): TargetFacts | undefined {
    return this.#facts;
  }

  /** @throws LabError, DriverError or KernelCrash, by who is to blame */
  async make(signal: AbortSignal): Promise<ReadyTarget> {
    const target = await this.#source.take(Deadline.in(TAKE_LIMIT, signal));
    const undo = new Undo();
    undo.add('close the target', () => target.close());
    const giveUp = (): void => void target.close().catch(() => {});
    signal.addEventListener('abort', giveUp);
    return undo.onFailure(async () => {
      const made = await this.#prepare(target);
      signal.throwIfAborted();
      signal.removeEventListener('abort', giveUp);
      this.#made.set(made, made);
      return made;
    });
  }

  async handOver(ready: ReadyTarget): Promise<void> {
    const made = this.#made.get(ready);
    const idle = made?.idle;
    if (made === undefined || idle === undefined) return;
    made.idle = undefined;
    insistOnSilence(await idle.conclude('stand by'), ready.target);
  }

  async finish(ready: ReadyTarget): Promise<void> {
    const made = this.#made.get(ready);
    const { target, kernelLog } = ready;
    const { module } = this.#profile;
    const code =
      made === undefined || module === undefined ? undefined : await codeOf(made.scribe, module.name);
    await listened(target, kernelLog, 'unload the driver', () => unloadDriver(target, this.#profile));
    if (made !== undefined) await this.#countLines(made);
    if (made?.looksForLostMemory === true) await this.#insistOnNothingLost(made, code);
    if (this.#source.pristine) return;
    await kernelLog.stop();
    await made?.scribe.end();
  }

  async #countLines({ target, scribe }: Made): Promise<void> {
    const files = await this.#files.linesRun(target, () => countedLines(target, scribe));
    if (files.length > 0) await this.#onLinesRun(files);
  }

  /** @throws KernelCrash `LEAK` with the kernel's words about what was lost */
  async #insistOnNothingLost({ target, startAgent }: ReadyTarget, code: bigint | undefined): Promise<void> {
    const agent = await startAgent();
    const lines = await lostMemory(agent);
    await agent.end();
    if (lines.length === 0) return;
    const told = code === undefined ? lines : await this.#files.decodeAfterwards(target, lines, code);
    throw new KernelCrash('LEAK', `${target.facts.name}: memory was lost (kmemleak)\n${told.join('\n')}`);
  }

  async dispose(ready: ReadyTarget): Promise<void> {
    this.#made.delete(ready);
    await ready.target.close();
  }

  async #prepare(target: Target): Promise<Made> {
    this.#facts = target.facts;
    const program = await buildAgent(this.#cache, architectureOfPrograms(target.facts));
    const agentPath = await target.put(await readFile(program), 'agent');
    const startAny = agentStarter(target, agentPath);
    // Each is a command or two over there, and none waits for another.
    const [[scribe, kernelLog], path] = await Promise.all([
      followed(target, agentPath, startAny),
      this.#files.deploy(target),
    ]);
    const hurried = (agent: Agent): Agent => {
      kernelLog.onTaskLost(() => agent.hurry(BROKEN_KERNEL_LIMIT * target.patience));
      return agent;
    };
    hurried(scribe);
    const startAgent = async (): Promise<Agent> => hurried(await startAny());
    kernelLog.explain = (lines) => this.#files.decode(target, lines);
    const listening = await listened(target, kernelLog, 'load the driver', () =>
      loadDriver(target, this.#profile, path),
    );
    const facts = await this.#files.facts(startAgent);
    const driver = { profile: this.#profile, facts, path };
    return {
      ...{ target, agentPath, startAgent, kernelLog, driver, scribe },
      ...{ idle: listening, looksForLostMemory: await looksForLostMemory(scribe) },
    };
  }
}

async function followed(
  target: Target,
  agentPath: string,
  startAgent: StartAgent,
): Promise<[Agent, KernelLogWatch]> {
  const scribe = await startAgent();
  return [scribe, await KernelLogWatch.start(target, agentPath, scribe)];
}

function agentStarter(target: Target, path: string): StartAgent {
  const { facts, patience } = target;
  const makeRoom = (): Promise<void> | undefined => target.restingProcessors?.wake();
  return async () =>
    Agent.start(await target.start([path]), facts.name, Deadline.in(greetingLimit(patience)), {
      patience,
      makeRoom,
    });
}

/**
 * Does something to the driver; a splat of the kernel about it outranks how it ended.
 * @returns what listens from then on
 */
async function listened(
  target: Target,
  watch: KernelLogWatch,
  what: string,
  work: () => Promise<void>,
): Promise<Listening> {
  const listening = await Listening.begin(target, watch, what);
  const failure = await work().catch((error: unknown) => error);
  const said = await listening.conclude(what);
  if (said.splats.length > 0 || failure === undefined) insistOnSilence(said, target);
  if (failure !== undefined) throw failure;
  return listening;
}
