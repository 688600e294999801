// SPDX-License-Identifier: MIT
/** Takes apart what comes out of a guest's port; harness/agent/native/line.c says how it is framed. */
import { constants } from 'node:os';
import { LabError } from '../../errors.ts';
import type { Ending } from '../../process.ts';

/** Who is told what came. */
export interface FrameListener {
  /** A piece of a program's output, at once. */
  output(stream: 'out' | 'err', chunk: Buffer): void;
  /** The next call may be made. */
  ready(): void;
  /** The program has ended; all of its output was told before. */
  ended(ending: Ending): void;
}

/** Bytes of the longest line that stands behind a NUL. */
const WORD_MOST = 64;

export class Frames {
  readonly #listener: FrameListener;
  /** Begins with a NUL and has no end yet. */
  #word: Buffer = Buffer.alloc(0);
  /** Bytes to come that belong to a frame, and where they go. */
  #owed = 0;
  #stream: 'out' | 'err' = 'out';
  /** Told when its complaints have been. */
  #ending: Ending | undefined;

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  /** @throws LabError `LINE` when it is nothing that a line says */
  feed(bytes: Buffer): void {
    let rest = this.#word.length === 0 ? bytes : Buffer.concat([this.#word, bytes]);
    this.#word = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#owed > 0) rest = this.#pay(rest);
      else if (rest[0] !== 0) rest = this.#passOn(rest);
      else {
        const end = rest.indexOf('\n');
        if (end < 0) {
          if (rest.length > WORD_MOST) throw unknown(rest);
          this.#word = rest;
          return;
        }
        this.#say(rest.toString('latin1', 1, end));
        rest = rest.subarray(end + 1);
      }
    }
  }

  /** Output that comes as it is. */
  #passOn(bytes: Buffer): Buffer {
    const end = bytes.indexOf(0);
    const chunk = end < 0 ? bytes : bytes.subarray(0, end);
    this.#listener.output('out', chunk);
    return bytes.subarray(chunk.length);
  }

  #pay(bytes: Buffer): Buffer {
    const chunk = bytes.subarray(0, this.#owed);
    this.#owed -= chunk.length;
    this.#listener.output(this.#stream, chunk);
    if (this.#owed === 0) this.#conclude();
    return bytes.subarray(chunk.length);
  }

  #say(line: string): void {
    const [word, ...values] = line.split(' ').filter(Boolean);
    const bytes = Number(values.at(-1));
    if (word === 'ready') return this.#listener.ready();
    if ((word !== 'out' && word !== 'err' && word !== 'end') || !Number.isInteger(bytes))
      throw unknown(Buffer.from(line, 'latin1'));
    this.#owed = bytes;
    this.#stream = word === 'out' ? 'out' : 'err';
    if (word === 'end') this.#ending = endingOf(values[0] ?? '');
    if (bytes === 0) this.#conclude();
  }

  #conclude(): void {
    const ending = this.#ending;
    this.#ending = undefined;
    if (ending !== undefined) this.#listener.ended(ending);
  }
}

function endingOf(how: string): Ending {
  if (/^\d+$/.test(how)) return { code: Number(how), signal: null };
  if (isSignal(how)) return { code: null, signal: how };
  throw unknown(Buffer.from(`end ${how}`));
}

function isSignal(name: string): name is NodeJS.Signals {
  return name in constants.signals;
}

function unknown(bytes: Buffer): LabError {
  const said = JSON.stringify(bytes.toString('latin1', 0, WORD_MOST));
  return new LabError('LINE', `the guest says ${said} on a line, which means nothing`);
}
