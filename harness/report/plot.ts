// SPDX-License-Identifier: MIT
/** Curves as SVG text, without a browser; the only file that loads echarts. */
import { init, use } from 'echarts/core';
import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkLineComponent, TitleComponent } from 'echarts/components';
import { SVGRenderer } from 'echarts/renderers';

use([LineChart, GridComponent, LegendComponent, MarkLineComponent, TitleComponent, SVGRenderer]);

export interface Curve {
  name: string;
  /** From left to right. */
  points: (readonly [x: number, y: number])[];
}

export interface Plot {
  title: string;
  /** With units. */
  axes: readonly [x: string, y: string];
  curves: readonly Curve[];
  /** A horizontal line. */
  limit?: number;
}

const [WIDTH, HEIGHT] = [560, 340];
/** From here on the x axis is logarithmic: sizes from pages to many MiB. */
const WIDE = 200;

export function drawPlot({ title, axes, curves, limit }: Plot): string {
  const xs = curves.flatMap(({ points }) => points.map(([x]) => x)).filter((x) => x > 0);
  const wide = Math.max(...xs) / Math.min(...xs) > WIDE;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
  const marked =
    limit === undefined
      ? {}
      : { markLine: { symbol: 'none', silent: true, data: [{ yAxis: limit, name: 'limit' }] } };
  chart.setOption({
    animation: false,
    title: { text: title, left: 'center', textStyle: { fontSize: 13 } },
    legend: { bottom: 0, type: 'plain', textStyle: { fontSize: 10 } },
    grid: { left: 70, right: 30, top: 40, bottom: 80 },
    xAxis: {
      type: wide ? 'log' : 'value',
      logBase: 16,
      min: 'dataMin',
      max: 'dataMax',
      name: axes[0],
      nameLocation: 'middle',
      nameGap: 26,
      axisLabel: { formatter: (value: number) => short(value) },
    },
    yAxis: { type: 'value', name: axes[1], axisLabel: { formatter: (value: number) => short(value) } },
    series: curves.map(({ name, points }, place) => ({
      name,
      type: 'line',
      data: points.map(([x, y]) => [x, y]),
      ...(place === 0 ? marked : {}),
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** Powers of 1024 by their letters, other numbers short. */
function short(value: number): string {
  for (const [power, letter] of [
    [1024 ** 3, 'Gi'],
    [1024 ** 2, 'Mi'],
    [1024, 'Ki'],
  ] as const) {
    if (value >= power && value % power === 0) return `${value / power} ${letter}`;
  }
  return String(Number(value.toPrecision(3)));
}
