// SPDX-License-Identifier: MIT
/**
 * A picture of where buffers lie in physical memory, for the report: one row per buffer, one bar per
 * run, the axis cut where nothing lies. Bars darken with the page number, so pages out of order
 * show; memory that two buffers share is marked below the rows.
 */
import type { Placement } from './observation.ts';
import { runsOf, describeRun, type Run } from './runs.ts';
import { hex, size } from './wording.ts';

const left = 260;
const width = 720;
const rowHeight = 26;
const cutWidth = 24;
const mostCuts = 8;
const addressWidth = 72;

/** A stretch of physical addresses that is drawn to scale, and where it starts on the axis. */
interface Segment {
  start: number;
  end: number;
  x: number;
}

interface Row {
  label: string;
  pageBytes: number;
  runs: Run[];
}

/** @returns an SVG document; it draws what the first witness saw, judged or not */
export function drawLayout(placements: readonly Placement[]): string {
  const rows = placements.map(rowOf);
  const { segments, scale } = axisOf(rows);
  const height = 40 + rows.length * rowHeight + 44;
  const bottom = 40 + rows.length * rowHeight;
  const body = [
    ...rows.map((row, index) => drawRow(row, 40 + index * rowHeight, segments, scale)),
    ...drawShared(rows, bottom + 2, segments, scale),
    ...segments.flatMap((segment, index) => drawTicks(segment, segments[index - 1], bottom, scale)),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 40}" height="${height}" ` +
      `viewBox="0 0 ${left + width + 40} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="8" y="20" font-size="14">Physical memory, ${rows.length} buffer${rows.length === 1 ? '' : 's'}</text>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

function rowOf({ label, pageBytes, sightings }: Placement): Row {
  const [sighting] = sightings;
  const seen = (sighting?.pages ?? []).map(([first]) => first ?? Number.NaN);
  const runs = runsOf(seen, pageBytes).filter((run) => Number.isFinite(run.physicalAddress));
  return { label, pageBytes, runs };
}

/** Cuts the axis at its widest gaps, a few at most, and gives each piece its share of the width. */
function axisOf(rows: readonly Row[]): { segments: Segment[]; scale: number } {
  const spans = rows
    .flatMap(({ runs, pageBytes }) =>
      runs.map((run) => ({
        start: run.physicalAddress,
        end: run.physicalAddress + run.pageCount * pageBytes,
      })),
    )
    .toSorted((a, b) => a.start - b.start);
  const pieces: Segment[] = [];
  for (const { start, end } of spans) {
    const last = pieces.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else pieces.push({ start, end, x: left });
  }
  const gapBefore = (index: number) => (pieces[index]?.start ?? 0) - (pieces[index - 1]?.end ?? 0);
  const covered = pieces.reduce((sum, { start, end }) => sum + end - start, 0);
  const cuts = new Set(
    [...pieces.keys()]
      .slice(1)
      .filter((index) => gapBefore(index) > covered / 8)
      .toSorted((a, b) => gapBefore(b) - gapBefore(a))
      .slice(0, mostCuts),
  );
  const segments: Segment[] = [];
  for (const [index, piece] of pieces.entries()) {
    const last = segments.at(-1);
    if (last !== undefined && !cuts.has(index)) last.end = piece.end;
    else segments.push({ ...piece });
  }
  const total = segments.reduce((sum, { start, end }) => sum + end - start, 0);
  const scale = (width - cutWidth * Math.max(0, segments.length - 1)) / Math.max(1, total);
  let x = left;
  for (const segment of segments) {
    segment.x = x;
    x += (segment.end - segment.start) * scale + cutWidth;
  }
  return { segments, scale };
}

function xOf(address: number, segments: readonly Segment[], scale: number): number {
  const segment = segments.find(({ start, end }) => address >= start && address <= end);
  return segment === undefined ? left : segment.x + (address - segment.start) * scale;
}

function drawRow({ label, pageBytes, runs }: Row, y: number, segments: Segment[], scale: number): string {
  const total = runs.reduce((sum, { pageCount }) => sum + pageCount, 0);
  const name = `<text x="8" y="${y + 15}">${escape(label)}</text>`;
  const bars = thinned(runs, pageBytes, scale).map((run) => {
    const x = xOf(run.physicalAddress, segments, scale);
    const w = Math.max(1, run.pageCount * pageBytes * scale);
    const light = 70 - 40 * (run.firstPage / Math.max(1, total));
    return (
      `<rect x="${x.toFixed(1)}" y="${y}" width="${w.toFixed(1)}" height="18" ` +
      `fill="hsl(210 60% ${light.toFixed(0)}%)" stroke="#123" stroke-width="0.5">` +
      `<title>${escape(describeRun(run, pageBytes))}</title></rect>`
    );
  });
  const nothing = runs.length === 0 ? `<text x="${left}" y="${y + 15}" fill="#a00">not seen</text>` : '';
  return [name, ...bars, nothing].join('');
}

/** Of runs that would be drawn on the same spot, one: a scattered buffer has thousands. */
function thinned(runs: readonly Run[], pageBytes: number, scale: number): Run[] {
  const drawn = new Map<string, Run>();
  for (const run of runs) {
    const wide = run.pageCount * pageBytes * scale >= 1;
    const spot = wide ? `run ${run.firstPage}` : `at ${Math.floor(run.physicalAddress * scale)}`;
    if (!drawn.has(spot)) drawn.set(spot, run);
  }
  return [...drawn.values()];
}

function drawShared(rows: readonly Row[], y: number, segments: Segment[], scale: number): string[] {
  const edges = rows
    .flatMap(({ runs, pageBytes }) =>
      runs.flatMap((run) => [
        { at: run.physicalAddress, step: 1 },
        { at: run.physicalAddress + run.pageCount * pageBytes, step: -1 },
      ]),
    )
    .toSorted((a, b) => a.at - b.at || a.step - b.step);
  const marks: string[] = [];
  let depth = 0;
  let from = 0;
  for (const { at, step } of edges) {
    if (step === 1 && depth === 1) from = at;
    if (step === -1 && depth === 2) {
      const x = xOf(from, segments, scale);
      const w = Math.max(2, (at - from) * scale);
      marks.push(
        `<rect x="${x.toFixed(1)}" y="${y}" width="${w.toFixed(1)}" height="5" fill="#c00">` +
          `<title>shared: ${hex(from)}, ${size(at - from)}</title></rect>`,
      );
    }
    depth += step;
  }
  return marks;
}

function drawTicks(segment: Segment, before: Segment | undefined, bottom: number, scale: number): string[] {
  const x = segment.x.toFixed(1);
  const end = (segment.x + (segment.end - segment.start) * scale).toFixed(1);
  const y = bottom + 10;
  const line = `<path d="M${x} ${y}H${end}M${x} ${y - 3}v6M${end} ${y - 3}v6" stroke="#555" fill="none"/>`;
  const name = `<text x="${x}" y="${y + 16}" font-size="10">${hex(segment.start)}</text>`;
  if (before === undefined) return [line, name];
  const crowded = segment.x - before.x < addressWidth;
  const cut = (segment.x - cutWidth / 2).toFixed(1);
  const gap = size(segment.start - before.end);
  return [
    line,
    crowded ? '' : name,
    `<text x="${cut}" y="${y + 4}" text-anchor="middle">⋯<title>${gap}</title></text>`,
  ];
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
