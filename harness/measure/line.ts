// SPDX-License-Identifier: MIT
/** Whether something grows in a straight line: least squares, and how far the points lie from it. */

export interface Point {
  x: number;
  y: number;
}

export interface Line {
  slope: number;
  intercept: number;
  /** The largest vertical distance of a point from the line, as a share of the highest point. */
  deviation: number;
}

/** @throws RangeError for less than three points, which every line or no line fits */
export function lineThrough(points: readonly Point[]): Line {
  if (points.length < 3) throw new RangeError(`${points.length} points do not show a line`);
  const mean = (of: (point: Point) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)];
  const spread = mean((point) => (point.x - x) ** 2);
  if (spread === 0) throw new RangeError('all points lie above each other');
  const slope = mean((point) => (point.x - x) * (point.y - y)) / spread;
  const intercept = y - slope * x;
  const highest = Math.max(...points.map((point) => Math.abs(point.y)));
  const distances = points.map((point) => Math.abs(point.y - (intercept + slope * point.x)));
  return { slope, intercept, deviation: highest === 0 ? 0 : Math.max(...distances) / highest };
}
