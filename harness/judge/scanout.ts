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
    `${label}: ${kindOf(scanout)}`,
    `${wrong} of ${pixels} pixels are wrong, in ${wrongRows} of ${drawn.height} rows`,
    `first: pixel ${first.x}, ${first.y} is ${rgb(first.seen)}, drawn was ${rgb(first.drawn)}`,
    ...(isShifted(scanout) ? [] : describePages(scanout.pages)),
  ];
  return [driverFinding('scanout', message.join('\n'))];
}

/** What kind of wrongness it is. */
function kindOf(scanout: Scanout): string {
  const { blank, displacement, pages, pageBytes } = scanout;
  if (blank !== undefined) return `all of the screen is ${rgb(blank)}`;
  if (displacement !== undefined && isShifted(scanout)) {
    const distance = Math.abs(displacement.bytes);
    const inPages = distance % pageBytes === 0 ? `, that is ${countOf(distance / pageBytes, 'page')}` : '';
    const side = displacement.bytes > 0 ? 'behind' : 'before';
    return `shifted: the screen reads memory ${size(distance)} ${side} the place of the picture${inPages}`;
  }
  const right = pagesIn(pages.filter(({ first, shows }) => shows === first));
  const foreign = pagesIn(pages.filter(({ shows }) => shows === null));
  const total = pagesIn(pages);
  return (
    `of the frame's ${countOf(total, 'page')} of ${size(pageBytes)} the screen shows ${right} in their places, ` +
    `${total - right - foreign} elsewhere, and at ${foreign} places what is no page of the picture`
  );
}

function isShifted({ displacement }: Scanout): boolean {
  return displacement !== undefined && displacement.bytes !== 0 && displacement.share >= NEARLY_ALL;
}

/** One line for each run of pages that are not in their places; of many the first ones. */
function describePages(pages: Scanout['pages']): string[] {
  const wrong = pages.filter(({ first, shows }) => shows !== first);
  const lines = wrong.slice(0, SPELLED_OUT).map(({ first, count, shows }) => {
    const shown = shows === null ? 'something else' : pageRange(shows, count);
    return `  at ${pageRange(first, count)}: ${shown}`;
  });
  const rest = wrong.length - lines.length;
  return rest > 0 ? [...lines, `  and so on, ${countOf(rest, 'more run')}`] : lines;
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
