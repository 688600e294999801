// SPDX-License-Identifier: MIT
/**
 * Follows a target's kernel log through the agent's `kmsg` mode, from before the driver is loaded to
 * after it is gone, and cuts it at bookmarks that are written into the log itself.
 */
import { randomBytes } from 'node:crypto';
import type { Agent } from '../agent/client.ts';
import type { Deadline } from '../deadline.ts';
import { LabError } from '../errors.ts';
import type { RemoteProcess, Target } from '../target/target.ts';
import { bookmarkPrefix, KernelLog, type Slice } from './follower.ts';

/** What die() counts on every architecture, when the kernel ends the task that broke it: `[#1]`. */
const TASK_LOST = /\[#\d+\](?: |$)/;

export class KernelLogWatch {
  readonly log = new KernelLog();
  /** Adds to the lines of a report what only its reader's machine knows, such as lines of source. */
  explain: (lines: readonly string[]) => Promise<readonly string[]> = (lines) => Promise.resolve(lines);
  readonly #process: RemoteProcess;
  readonly #scribe: Agent;
  /** A machine that stays up still has the bookmarks of earlier runs in its log. */
  readonly #tag = randomBytes(4).toString('hex');
  readonly #onTaskLost: (() => void)[] = [];
  #taskLost = false;
  #partial = '';
  #marks = 0;

  private constructor(process: RemoteProcess, scribe: Agent, who: string) {
    this.#process = process;
    this.#scribe = scribe;
    process.onStdout((chunk) => this.#receive(chunk.toString('latin1')));
    process.ended.then(
      ({ code, signal }) =>
        this.log.end(new LabError('KERNEL_LOG', `${who}: the kernel log ended (${signal ?? code})`)),
      (cause: Error) => this.log.end(cause),
    );
  }

  /**
   * @param agentPath of the agent's program on the target
   * @param scribe an agent that writes the bookmarks; it does nothing else, so that it stays alive
   */
  static async start(target: Target, agentPath: string, scribe: Agent): Promise<KernelLogWatch> {
    return new KernelLogWatch(await target.start([agentPath, 'kmsg']), scribe, target.facts.name);
  }

  /**
   * Writes a bookmark and waits until it came back: everything the kernel said before is known then.
   * @returns the bookmark's name, for {@link between}
   * @throws LabError when the log or the target is gone
   */
  async mark(what: string, deadline: Deadline): Promise<string> {
    this.#marks += 1;
    const name = `${this.#tag}.${this.#marks} ${what}`;
    await this.#scribe.mark(bookmarkPrefix + name);
    await this.log.waitFor(name, deadline);
    return name;
  }

  /**
   * Whether the kernel has broken in a task and ended it: the locks which that task held nobody gives back, and
   * whoever waits for one of them waits for ever.
   */
  get taskLost(): boolean {
    return this.#taskLost;
  }

  /** Calls back once that is so; at once when it is. */
  onTaskLost(listener: () => void): void {
    if (this.#taskLost) listener();
    else this.#onTaskLost.push(listener);
  }

  /** What the kernel said between two bookmarks, or since the first one. */
  between(from: string, to?: string): Slice {
    return this.log.slice(from, to);
  }

  /** Ends the follower; the scribe is its owner's. */
  async stop(): Promise<void> {
    this.#process.end();
    await this.#process.ended.catch(() => {});
  }

  #receive(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    // The agent puts a record's dictionary behind tabs, to keep one record on one line.
    for (const line of lines)
      for (const part of line.replaceAll('\t', '\n ').split('\n')) this.log.feed(part);
    if (this.#taskLost || !lines.some((line) => TASK_LOST.test(line))) return;
    this.#taskLost = true;
    for (const listener of this.#onTaskLost.splice(0)) listener();
  }
}
