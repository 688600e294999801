// SPDX-License-Identifier: MIT
/** A guest's serial console, which QEMU writes into a file from the first byte on. */
import { readFileSync } from 'node:fs';
import type { Console } from '../target.ts';

export class ConsoleFile implements Console {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  async text(): Promise<string> {
    return this.textNow();
  }

  /** Everything so far; empty when QEMU has not opened the file yet. */
  textNow(): string {
    try {
      return readFileSync(this.file, 'latin1').replaceAll('\r', '');
    } catch {
      return '';
    }
  }

  tailNow(lines: number): string {
    return this.textNow().trimEnd().split('\n').slice(-lines).join('\n');
  }
}
