// SPDX-License-Identifier: MIT
/**
 * Compares what a screen shows with what was drawn into its frame buffer, and finds out where in
 * memory that which it shows was drawn: of a picture without two pixels alike every pixel tells.
 */
import type { Picture } from '../target/target.ts';
import type { Scanout } from './observation.ts';

const PIXEL_BYTES = 4;
const COLOURS = 2 ** 24;
/** So many pixels tell by how far a picture is displaced. */
const SAMPLES = 20_000;
/** A page shows another one when so much of it does; the rest may have been drawn nowhere, as what ends rows. */
const MOST = 0.95;

/** How a picture of 32 bits a pixel lies in memory, in bytes. */
export interface FrameLayout {
  stride: number;
  pageBytes: number;
}

/** @param label what was drawn, for example `1920 x 1080 picture` */
export function comparePictures(
  label: string,
  drawn: Picture,
  seen: Picture,
  { stride, pageBytes }: FrameLayout,
): Scanout {
  const sizes = { drawn: sizeOf(drawn), seen: sizeOf(seen) };
  const result: Scanout = { label, pageBytes, ...sizes, compared: 0, wrong: 0, wrongRows: 0, pages: [] };
  if (drawn.width !== seen.width || drawn.height !== seen.height) return result;
  const { width, height } = drawn;
  let lastRow = -1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      result.compared += 1;
      const at = y * width + x;
      const [was, is] = [colourAt(drawn, at), colourAt(seen, at)];
      if (was === is) continue;
      result.wrong += 1;
      result.first ??= { x, y, drawn: was, seen: is };
      if (lastRow !== y) result.wrongRows += 1;
      lastRow = y;
    }
  }
  if (result.wrong === 0) return result;
  const blank = onlyColour(seen);
  if (blank !== undefined) return { ...result, blank };
  const distances = distancesOf(drawn, seen, stride);
  const displacement = mostFrequent(distances);
  const pages = pagesOf(distances, width, height, { stride, pageBytes });
  return { ...result, ...(displacement === undefined ? {} : { displacement }), pages };
}

function sizeOf({ width, height }: Picture): { width: number; height: number } {
  return { width, height };
}

/** Red, green and blue as one number, of the pixel `at` counted row by row. */
function colourAt({ rgb }: Picture, at: number): number {
  return rgb.readUIntBE(at * 3, 3);
}

function onlyColour(picture: Picture): number | undefined {
  const first = colourAt(picture, 0);
  for (let at = 1; at < picture.width * picture.height; at++) {
    if (colourAt(picture, at) !== first) return undefined;
  }
  return first;
}

/** For each pixel, how far behind its own place in memory that was drawn which it shows; NaN: nowhere. */
function distancesOf(drawn: Picture, seen: Picture, stride: number): Float64Array {
  const { width, height } = drawn;
  const offsetOf = (at: number): number => Math.floor(at / width) * stride + (at % width) * PIXEL_BYTES;
  const origins = new Int32Array(COLOURS).fill(-1);
  for (let at = width * height - 1; at >= 0; at--) origins[colourAt(drawn, at)] = at;
  return Float64Array.from({ length: width * height }, (_, at) => {
    const colour = colourAt(seen, at);
    // Where colours occur twice, the pixel's own place comes first.
    if (colour === colourAt(drawn, at)) return 0;
    const origin = origins[colour] ?? -1;
    return origin < 0 ? Number.NaN : offsetOf(origin) - offsetOf(at);
  });
}

function mostFrequent(distances: Float64Array): Scanout['displacement'] {
  const counts = new Map<number, number>();
  const step = Math.ceil(distances.length / SAMPLES);
  let samples = 0;
  for (let at = 0; at < distances.length; at += step) {
    const distance = distances[at] ?? Number.NaN;
    samples += 1;
    if (!Number.isNaN(distance)) counts.set(distance, (counts.get(distance) ?? 0) + 1);
  }
  const [most] = [...counts].toSorted(([, a], [, b]) => b - a);
  return most && { bytes: most[0], share: most[1] / samples };
}

/** What each page of the frame buffer shows, as runs. */
function pagesOf(
  distances: Float64Array,
  width: number,
  height: number,
  { stride, pageBytes }: FrameLayout,
): Scanout['pages'] {
  const pages: Scanout['pages'] = [];
  const count = Math.ceil((stride * height) / pageBytes);
  const tallies = Array.from({ length: count }, () => ({ pixels: 0, by: new Map<number, number>() }));
  for (const [at, distance] of distances.entries()) {
    const offset = Math.floor(at / width) * stride + (at % width) * PIXEL_BYTES;
    const tally = tallies[Math.floor(offset / pageBytes)];
    if (tally === undefined) continue;
    tally.pixels += 1;
    if (distance % pageBytes === 0) tally.by.set(distance, (tally.by.get(distance) ?? 0) + 1);
  }
  for (const [page, { pixels, by }] of tallies.entries()) {
    const found = [...by].find(([, of]) => of >= pixels * MOST);
    const shows = found === undefined ? null : page + found[0] / pageBytes;
    const last = pages.at(-1);
    const follows = last !== undefined && (shows === null ? last.shows === null : continues(last, shows));
    if (follows) last.count += 1;
    else pages.push({ first: page, count: 1, shows });
  }
  return pages;
}

function continues({ count, shows }: Scanout['pages'][number], next: number): boolean {
  return shows !== null && shows + count === next;
}
