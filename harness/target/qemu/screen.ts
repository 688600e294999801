// SPDX-License-Identifier: MIT
/** The screen of a guest's ramfb, photographed through QEMU. */
import { readFile, rm } from 'node:fs/promises';
import type { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import type { Picture, Screen } from '../target.ts';
import type { Qmp } from './qmp.ts';

/** QEMU writes `P6`, width, height and the largest value, each on a line or behind a blank; then RGB. */
const HEADER = /^P6\s(\d+)\s(\d+)\s255\s/;
const HEADER_BYTES_MOST = 64;

export class RamfbScreen implements Screen {
  readonly #qmp: () => Qmp;
  /** Path of a file that may be written and is removed again. */
  readonly #file: string;

  constructor(qmp: () => Qmp, file: string) {
    this.#qmp = qmp;
    this.#file = file;
  }

  async photograph(deadline: Deadline): Promise<Picture> {
    await this.#qmp().execute('screendump', { filename: this.#file }, deadline);
    try {
      return parsePpm(await readFile(this.#file));
    } finally {
      await rm(this.#file, { force: true });
    }
  }
}

/**
 * A picture in the format PPM with 8 bits a colour, as QEMU writes it: rows are padded to 4 bytes
 * (QEMU ui/console.c: ppm_save writes whole lines of a pixman image), which the format does not know.
 * @throws LabError `SCREEN` when it is something else, or not whole
 */
export function parsePpm(file: Buffer): Picture {
  const header = HEADER.exec(file.toString('latin1', 0, HEADER_BYTES_MOST));
  if (header === null) throw new LabError('SCREEN', "QEMU's picture of the screen is no PPM");
  const [width, height] = [Number(header[1]), Number(header[2])];
  const data = file.subarray(header[0].length);
  const rowBytes = width * 3;
  const padded = Math.ceil(rowBytes / 4) * 4;
  if (data.length === rowBytes * height) return { width, height, rgb: data };
  if (data.length !== padded * height) {
    const size = `${data.length} bytes for ${width} x ${height} pixels`;
    throw new LabError('SCREEN', `QEMU's picture of the screen has ${size}`);
  }
  const rgb = Buffer.alloc(rowBytes * height);
  for (let y = 0; y < height; y++) data.copy(rgb, y * rowBytes, y * padded, y * padded + rowBytes);
  return { width, height, rgb };
}
