// SPDX-License-Identifier: MIT
/**
 * Progress on the terminal: each phase by name, what it is doing, and how long it took. On a screen
 * one line per phase is kept up to date; in a log nothing is ever overwritten.
 */
import type { WriteStream } from 'node:tty';

export type Say = (line: string) => void;

export class Terminal {
  readonly #out: WriteStream;

  constructor(out: WriteStream) {
    this.#out = out;
  }

  line(text = ''): void {
    this.#out.write(`${text}\n`);
  }

  /**
   * Runs `work` as a phase with a name. `work` may say what it is at, and returns what to show as its result.
   * @throws what `work` throws, after the phase is marked as failed
   */
  async phase<T>(name: string, work: (say: Say) => Promise<{ value: T; result: string }>): Promise<T> {
    const started = performance.now();
    const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(1)} s`;
    const live = this.#out.isTTY ? new LiveLine(this.#out, name, seconds) : undefined;
    const say: Say = (line) => {
      if (live === undefined) this.line(`${name}: ${line}`);
      else live.show(line);
    };
    try {
      const { value, result } = await work(say);
      live?.clear();
      this.line(`${name}: ${result} (${seconds()})`);
      return value;
    } catch (error) {
      live?.clear();
      this.line(`${name}: failed after ${seconds()}`);
      throw error;
    }
  }
}

/** A line that is drawn again while time passes. */
class LiveLine {
  readonly #out: WriteStream;
  readonly #name: string;
  readonly #seconds: () => string;
  readonly #timer: NodeJS.Timeout;
  #text = 'working';

  constructor(out: WriteStream, name: string, seconds: () => string) {
    this.#out = out;
    this.#name = name;
    this.#seconds = seconds;
    this.#timer = setInterval(() => this.#draw(), 200);
    this.#timer.unref();
  }

  show(text: string): void {
    this.#text = text;
    this.#draw();
  }

  clear(): void {
    clearInterval(this.#timer);
    this.#out.write('\r\x1b[K');
  }

  #draw(): void {
    const text = `${this.#name}: ${this.#text} ${this.#seconds()}`;
    this.#out.write(`\r\x1b[K${text.slice(0, Math.max(20, this.#out.columns) - 1)}`);
  }
}
