// SPDX-License-Identifier: MIT
/** A picture of a mapping that shows the wrong pages: what belongs there above what is seen. */
import type { PageOrder } from './observation.ts';
import { orderRuns } from './page-order.ts';

const left = 110;
const width = 800;
const rowHeight = 30;
/** Cells narrower than that, in pixels, are not numbered. */
const legible = 22;

/** @returns an SVG document; wrong pages are red, foreign memory is black */
export function drawPageOrder(order: PageOrder): string {
  const pages = order.expected.length;
  const most = Math.max(1, ...order.expected.map((page) => page + 1));
  const scale = width / Math.max(1, pages);
  const cells = orderRuns(order).flatMap(({ first, expected, seen, count }) => {
    const wrong = seen !== expected;
    const shown = seen === null ? '#111' : wrong ? '#d33' : shade(seen / most);
    return [
      cell(first, count, scale, 44, shade(expected / most), [expected, count]),
      cell(first, count, scale, 44 + rowHeight + 8, shown, seen === null ? undefined : [seen, count]),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 20}" height="140" ` +
      `viewBox="0 0 ${left + width + 20} 140" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="8" y="22" font-size="14">${escape(order.label)}: pages of the buffer, in the order of the mapping</text>`,
    '<text x="8" y="64">belongs there</text>',
    '<text x="8" y="102">is seen</text>',
    ...cells,
    '</svg>',
    '',
  ].join('\n');
}

/** Darker with the page number, from 0 to 1. */
function shade(place: number): string {
  return `hsl(210 60% ${(80 - 45 * place).toFixed(0)}%)`;
}

/** A stretch of pages; each page has its own cell and number where there is room. */
function cell(
  first: number,
  count: number,
  scale: number,
  y: number,
  fill: string,
  numbers: readonly [from: number, count: number] | undefined,
): string {
  const each = scale >= legible ? 1 : count;
  const parts = [];
  for (let at = 0; at < count; at += each) {
    const x = (left + (first + at) * scale).toFixed(1);
    const w = (each * scale).toFixed(1);
    const named = numbers === undefined ? '-' : nameOf(numbers[0] + at, each);
    const text = named.length * 7 < each * scale ? named : '';
    parts.push(
      `<rect x="${x}" y="${y}" width="${w}" height="${rowHeight}" fill="${fill}" stroke="#fff"/>` +
        `<text x="${(left + (first + at + each / 2) * scale).toFixed(1)}" y="${y + 20}" ` +
        `text-anchor="middle" fill="#fff">${text}</text>`,
    );
  }
  return parts.join('');
}

function nameOf(page: number, count: number): string {
  return count === 1 ? `${page}` : `${page}-${page + count - 1}`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
