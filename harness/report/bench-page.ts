// SPDX-License-Identifier: MIT
/** The page of `npm run bench`: every measured id with its target, its figures and its curves. One file, no server. */
import { benchTargets, standingOf, targetOf, type BenchTarget } from '../measure/targets.ts';
import type { Measurement } from './contract.ts';
import type { HostFacts } from './host-facts.ts';
import type { MeasurementsFile } from './measurements.ts';
import { drawPlot, type Curve } from './plot.ts';

/** @returns HTML */
export function benchPage({ run, measurements }: MeasurementsFile): string {
  const sections = benchTargets.map((target) => {
    const own = measurements.filter(({ id }) => targetOf(id) === target);
    return own.length === 0 ? '' : section(target, own);
  });
  const missing = benchTargets.filter(
    ({ id }) => !measurements.some((each) => each.id === id || each.id.startsWith(`${id}/`)),
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>bufrig bench</title><style>${STYLE}</style></head><body>
<h1>What it costs</h1>
<p>${escaped(describeRun(run))}</p>
${hostText(run.host)}
<p>Medians with their 95 % intervals; a ratio is the median of the ratios of pairs that were measured in turns,
one after the other on the same machine. Under emulation absolute times say nothing about hardware.</p>
${sections.join('\n')}
${missing.length === 0 ? '' : `<h2>Not measured in this run</h2><p>${missing.map(({ id }) => escaped(id)).join(', ')}</p>`}
</body></html>
`;
}

function section(target: BenchTarget, own: readonly Measurement[]): string {
  const standings = own.map((each) => standingOf(target, each));
  const worst = (['not met', 'unclear', 'met'] as const).find((each) => standings.includes(each));
  const limit = target.limit === undefined ? 'no target' : `target: ${target.limit}`;
  const mark = worst === undefined ? '' : `, <b class="${worst.replace(' ', '-')}">${worst}</b>`;
  return `<h2 id="${escaped(target.id)}">${escaped(target.id)}</h2>
<p>${escaped(target.what)}<br>${escaped(limit)}${mark}</p>
<table><tr><th>what<th>value<th>baseline<th>ratio<th>samples<th></tr>
${own.map((each, i) => row(each, standings[i] ?? '')).join('\n')}</table>
<div class="plots">${plotsOf(target, own).join('\n')}</div>`;
}

function row(
  { title, unit, median, interval, samples, baseline, ratio }: Measurement,
  standing: string,
): string {
  const value = `${spread(median, interval)} ${unit}`;
  const base =
    baseline === undefined ? '' : `${spread(baseline.median, baseline.interval)} ${unit}, ${baseline.title}`;
  const quotient = ratio === undefined ? '' : spread(ratio.median, ratio.interval);
  const cells = [
    title,
    value,
    base,
    quotient,
    String(samples.length),
    standing === 'no target' ? '' : standing,
  ];
  return `<tr class="${standing.replace(' ', '-')}">${cells.map((cell) => `<td>${escaped(cell)}`).join('')}</tr>`;
}

function plotsOf({ figure, atMost, atLeast }: BenchTarget, own: readonly Measurement[]): string[] {
  const names = [...new Set(own.flatMap(({ point }) => point?.plot ?? []))];
  return names.map((title) => {
    const members = own.filter(({ point }) => point?.plot === title);
    const curves = new Map<string, Curve>();
    for (const { point, ratio, median } of members) {
      if (point === undefined) continue;
      const curve = curves.get(point.series) ?? { name: point.series, points: [] };
      curve.points.push([point.x, point.shows === 'ratio' ? (ratio?.median ?? Number.NaN) : median]);
      curves.set(point.series, curve);
    }
    for (const curve of curves.values()) curve.points.sort(([a], [b]) => a - b);
    const first = members[0];
    const shows = first?.point?.shows ?? 'median';
    const limit = shows === figure ? (atMost ?? atLeast) : undefined;
    return drawPlot({
      title,
      axes: [first?.point?.axis ?? '', shows === 'ratio' ? 'ratio' : (first?.unit ?? '')],
      curves: [...curves.values()],
      ...(limit === undefined ? {} : { limit }),
    });
  });
}

function describeRun({ startTime, duration, targets, drivers }: MeasurementsFile['run']): string {
  const machines = targets.map(
    ({ name, kernelRelease, details }) =>
      `${name}: Linux ${kernelRelease}, ${details['accelerator'] ?? 'no emulation'}, QEMU ${details['QEMU'] ?? 'none'}, ${details['CPU'] ?? ''}`,
  );
  const about = drivers.map(({ profile, version, commit }) => `${profile} ${version} ${commit}`);
  return [`${startTime}, ${Math.round(duration / 1000)} s`, ...machines, ...about].join('; ');
}

function hostText(host: HostFacts | undefined): string {
  if (host === undefined) return '';
  const { cores, model, kernel, memoryBytes, loadBefore, loadAfter } = host;
  const busy =
    Math.max(loadBefore[0] ?? 0) > cores * 0.5 ? ' <b>The machine was busy before this run began.</b>' : '';
  return `<p>Host: ${cores} cores, ${escaped(model)}, ${Math.round(memoryBytes / 1024 ** 3)} GiB, Linux ${escaped(kernel)};
load average ${loadText(loadBefore)} before, ${loadText(loadAfter)} after.${busy}</p>`;
}

function loadText(values: readonly number[]): string {
  return values.map((each) => each.toFixed(1)).join(' ');
}

function spread(median: number, [low, high]: readonly [number, number]): string {
  return low === high ? short(median) : `${short(median)} (${short(low)} to ${short(high)})`;
}

function short(value: number): string {
  return Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString('en')
    : String(Number(value.toPrecision(3)));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em;color:#222}
table{border-collapse:collapse;font-size:13px}td,th{border-bottom:1px solid #ddd;padding:3px 10px;text-align:left}
.met{color:#176b2c}.not-met{color:#a11}.unclear{color:#945b00}tr{color:inherit!important}
.plots{display:flex;flex-wrap:wrap}`;
