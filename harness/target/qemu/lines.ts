// SPDX-License-Identifier: MIT
/** The lines into one guest, and who has which. */
import type { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import type { Result } from '../../process.ts';
import type { Nearby } from '../ssh/nearby.ts';
import type { ExecOptions, RemoteProcess } from '../target.ts';
import type { RunFolder } from './run-folder.ts';
import { Line, type Call, type Program } from './line.ts';

/** How many a guest has: most tests have three agents, few have more. */
export const LINES = 6;
/** Of these, what no agent gets, so that there is one for commands. */
const FOR_COMMANDS = 1;
/** Bytes of input; more than this goes faster over the network card. */
const INPUT_MOST = 1024 ** 2;

/** What a login of root has, as the SSH server of the guest gives it. */
const LOGIN = { USER: 'root', LOGNAME: 'root', HOME: '/root', SHELL: '/bin/sh' };

/** QEMU's socket for a line, in the guest's folder. @param number from 1 */
export function lineSocket(number: number): string {
  return `line${number}`;
}

export class Lines implements Nearby {
  readonly #name: string;
  readonly #agent: string;
  readonly #lines: readonly Line[];

  private constructor(name: string, agent: string, lines: readonly Line[]) {
    this.#name = name;
    this.#agent = agent;
    this.#lines = lines;
  }

  /**
   * @param name of the target
   * @param agent path of the rig's agent in the guest
   * @param folder of the guest
   * @throws LabError `LINE`
   */
  static async connect(name: string, agent: string, folder: Pick<RunFolder, 'file'>): Promise<Lines> {
    const numbers = Array.from({ length: LINES }, (_, index) => index + 1);
    const lines = await Promise.all(
      numbers.map((number) => Line.connect(folder.file(lineSocket(number)), `${name}: line ${number}`)),
    );
    return new Lines(name, agent, lines);
  }

  /** Resolves when calls can be made. @throws LabError `DEADLINE`; `LINK_LOST` when the guest is gone */
  async answer(deadline: Deadline): Promise<void> {
    const all = Promise.all(this.#lines.map((line) => line.whenReady));
    await deadline.race(all, `${this.#name}: waiting for an answer on the lines`);
  }

  exec(
    argv: readonly string[],
    environment: Readonly<Record<string, string>>,
    options: ExecOptions,
  ): Promise<Result> | undefined {
    const input = Buffer.from(options.input ?? '');
    const [line] = this.#free();
    if (line === undefined || input.length > INPUT_MOST) return undefined;
    return this.#finish(line.start(program(argv, environment), input), argv, options);
  }

  putting(path: string): string[] {
    return [this.#agent, 'put', path];
  }

  start(argv: readonly string[], environment: Readonly<Record<string, string>>): RemoteProcess | undefined {
    const free = this.#free();
    return free.length > FOR_COMMANDS ? free[0]?.start(program(argv, environment)) : undefined;
  }

  lose(why: LabError): void {
    for (const line of this.#lines) line.lose(why);
  }

  close(): void {
    this.lose(new LabError('LINK_LOST', `${this.#name}: the rig closed its lines into the guest`));
  }

  #free(): Line[] {
    return this.#lines.filter((line) => line.free);
  }

  async #finish(call: Call, argv: readonly string[], { deadline }: ExecOptions): Promise<Result> {
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    call.onStdout((chunk) => stdout.push(chunk));
    call.onStderr((chunk) => stderr.push(chunk));
    try {
      const shown = argv.map((word) => (word.includes('\n') ? '...' : word)).join(' ');
      const ending = await (deadline?.race(call.ended, `${this.#name}: running ${shown}`) ?? call.ended);
      return {
        ...ending,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      };
    } catch (error) {
      call.abandon();
      throw error;
    }
  }
}

function program(argv: readonly string[], environment: Readonly<Record<string, string>>): Program {
  return { argv, environment: { ...LOGIN, ...environment } };
}
