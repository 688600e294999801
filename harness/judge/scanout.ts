// SPDX-License-Identifier: MIT
/** GEO-09 and GEO-03: what a screen scans out of a buffer is the picture that was drawn into it. */
import type { Finding, Scanout } from './observation.ts';
import { driverFinding, isPositive, labFinding, pageRange, size } from './wording.ts';

/** So much of a picture makes a displacement the explanation. */
const NEARLY_ALL = 0.9;
/** So many runs of pages are spelled out. */
const SPELLED_OUT = 6;

/** Every pixel is where it was drawn. */
export function judgeScanout(scanout: Scanout): Finding[] {
  const { label, drawn, seen, compared, wrong, wrongRows, first } = scanout;
  const pixels = drawn.width * drawn.height;
  if (!isPositive(pixels) || !isPositive(scanout.pageBytes)) {
    return [labFinding('evidence', `${label}: there is no picture to compare with`)];
  }
  if (seen.width !== drawn.width || seen.height !== drawn.height) {
    const shown = `${seen.width} x ${seen.height} pixels instead of ${drawn.width} x ${drawn.height}`;
    return [driverFinding('scanout', `${label}: the screen shows ${shown}, as if it took no such picture`)];
  }
  if (compared !== pixels || (first === undefined) !== (wrong === 0)) {
    const counts = `${compared} of ${pixels} pixels, ${wrong} wrong, ${first ? 'one' : 'none'} named`;
    return [
      labFinding('evidence', `${label}: the comparison is incomplete or contradicts itself: ${counts}`),
    ];
  }
  if (first === undefined) return [];
  const message = [
    `${label}: ${wrong} of ${pixels} pixels are wrong, in ${wrongRows} of ${drawn.height} rows`,
    `first: pixel ${first.x}, ${first.y} is ${rgb(first.seen)}, drawn was ${rgb(first.drawn)}`,
    ...explain(scanout),
  ];
  return [driverFinding('scanout', message.join('\n'))];
}

/** What kind of wrongness it is. */
function explain({ blank, displacement, pages, pageBytes }: Scanout): string[] {
  if (blank !== undefined) return [`all of the screen is ${rgb(blank)}: that memory was not drawn into`];
  if (displacement !== undefined && displacement.bytes !== 0 && displacement.share >= NEARLY_ALL) {
    const distance = Math.abs(displacement.bytes);
    const inPages = distance % pageBytes === 0 ? `, that is ${countOf(distance / pageBytes, 'page')}` : '';
    const side = displacement.bytes > 0 ? 'behind' : 'before';
    return [
      `the picture is shifted: the screen reads memory ${size(distance)} ${side} the place it was drawn to${inPages}`,
    ];
  }
  return byPages(pages, pageBytes);
}

function byPages(pages: Scanout['pages'], pageBytes: number): string[] {
  const right = pagesIn(pages.filter(({ first, shows }) => shows === first));
  const foreign = pagesIn(pages.filter(({ shows }) => shows === null));
  const total = pagesIn(pages);
  const wrong = pages.filter(({ first, shows }) => shows !== first);
  const rest = wrong.length - SPELLED_OUT;
  return [
    `of the frame's ${countOf(total, 'page')} of ${size(pageBytes)} the screen shows ${right} in their places, ` +
      `${total - right - foreign} elsewhere, and at ${foreign} places what is no page of the picture`,
    ...wrong
      .slice(0, SPELLED_OUT)
      .map(
        ({ first, count, shows }) =>
          `  at ${pageRange(first, count)}: ${shows === null ? 'something else' : pageRange(shows, count)}`,
      ),
    ...(rest > 0 ? [`  and so on, ${countOf(rest, 'more run')}`] : []),
  ];
}

function pagesIn(runs: Scanout['pages']): number {
  return runs.reduce((total, { count }) => total + count, 0);
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function rgb(colour: number): string {
  return `#${colour.toString(16).padStart(6, '0')}`;
}
