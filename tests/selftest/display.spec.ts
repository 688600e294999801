// SPDX-License-Identifier: MIT
/** From a picture of a screen to a finding: what QEMU writes, what was drawn, and every kind of wrongness. */
import { inflateSync } from 'node:zlib';
import { expect, test } from '@playwright/test';
import { encodePng } from '../../fixtures/png.ts';
import { testChart } from '../../fixtures/test-chart.ts';
import { LabError } from '../../harness/errors.ts';
import { comparePictures, judgeScanout } from '../../harness/judge/judges.ts';
import type { Scanout } from '../../harness/judge/observation.ts';
import { parsePpm } from '../../harness/target/qemu/screen.ts';
import type { Picture } from '../../harness/target/target.ts';

const NUMBER = 0xa5c3_1e77;
const WIDTH = 250;
const HEIGHT = 200;
const STRIDE = 1024; // of which 24 bytes show nothing
const PAGE = 4096;
const FRAME_PAGES = Math.ceil((STRIDE * HEIGHT) / PAGE);

const chart = testChart(WIDTH, HEIGHT, NUMBER);

/**
 * What a controller shows that reads the pages of a frame buffer with the chart in it in this order.
 * @param offset bytes that its address is off
 */
function scannedOut(orderOf: (page: number) => number | null, offset = 0): Picture {
  const memory = Buffer.alloc((FRAME_PAGES + 2) * PAGE);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      memory.writeUInt32LE(chart.rgb.readUIntBE((y * WIDTH + x) * 3, 3), y * STRIDE + x * 4);
    }
  }
  const rgb = Buffer.alloc(chart.rgb.length);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const at = Math.max(0, y * STRIDE + x * 4 + offset);
      const page = orderOf(Math.floor(at / PAGE));
      // What is nobody's is one colour that the chart does not have.
      const pixel = page === null ? 0xfe0102 : memory.readUInt32LE(page * PAGE + (at % PAGE));
      rgb.writeUIntBE(pixel, (y * WIDTH + x) * 3, 3);
    }
  }
  return { width: WIDTH, height: HEIGHT, rgb };
}

const compare = (seen: Picture): Scanout =>
  comparePictures('the chart', chart, seen, { stride: STRIDE, pageBytes: PAGE });

const says = (scanout: Scanout): string =>
  judgeScanout(scanout)
    .map(({ blame, rule, message }) => `${blame}: ${rule}: ${message}`)
    .join('\n');

test.describe('the chart', () => {
  test('has no two pixels alike', () => {
    const colours = new Set(
      Array.from({ length: WIDTH * HEIGHT }, (_, at) => chart.rgb.readUIntBE(at * 3, 3)),
    );
    expect(colours.size).toBe(WIDTH * HEIGHT);
  });

  test('is another one for another number', () => {
    expect(testChart(WIDTH, HEIGHT, NUMBER + 1).rgb.equals(chart.rgb)).toBe(false);
  });
});

test.describe('what a screen shows', () => {
  test('is right when every pixel is', () => {
    const scanout = compare(scannedOut((page) => page));
    expect(scanout).toMatchObject({ compared: WIDTH * HEIGHT, wrong: 0 });
    expect(judgeScanout(scanout)).toEqual([]);
  });

  test('one wrong bit of one pixel is told by its place', () => {
    const seen = scannedOut((page) => page);
    const at = (7 * WIDTH + 9) * 3;
    const was = seen.rgb.readUIntBE(at, 3);
    seen.rgb.writeUIntBE(was ^ 1, at, 3);
    const scanout = compare(seen);
    expect(scanout).toMatchObject({
      wrong: 1,
      wrongRows: 1,
      first: { x: 9, y: 7, drawn: was, seen: was ^ 1 },
    });
    expect(says(scanout)).toMatch(
      /^driver: scanout: the chart: of the frame's 50 pages .*\n1 of 50000 pixels are wrong.*\nfirst: pixel 9, 7/,
    );
  });

  test('an address one page off', () => {
    const text = says(compare(scannedOut((page) => page, PAGE)));
    expect(text).toContain(
      'the chart: shifted: the screen reads memory 4 KiB behind the place of the picture, that is 1 page',
    );
  });

  test('an address two pixels before', () => {
    const text = says(compare(scannedOut((page) => page, -8)));
    expect(text).toContain('shifted: the screen reads memory 8 B before the place');
  });

  test('memory that is not contiguous', () => {
    const order = (page: number): number | null =>
      page === 0 ? 0 : page % 7 === 3 ? null : FRAME_PAGES - page;
    const scanout = compare(scannedOut(order));
    const text = says(scanout);
    expect(text).toContain(`of the frame's ${FRAME_PAGES} pages of 4 KiB the screen shows 2 in their places`);
    expect(text).toContain('at page 3: something else');
    expect(text).toContain('more runs');
    expect(scanout.pages.reduce((sum, { count }) => sum + count, 0)).toBe(FRAME_PAGES);
  });

  test('a half that is right is told from one that is not', () => {
    const scanout = compare(scannedOut((page) => (page < 20 ? page : null)));
    expect(scanout.pages).toEqual([
      { first: 0, count: 20, shows: 0 },
      { first: 20, count: FRAME_PAGES - 20, shows: null },
    ]);
  });

  test('memory that nobody drew into', () => {
    const black = { width: WIDTH, height: HEIGHT, rgb: Buffer.alloc(chart.rgb.length) };
    expect(says(compare(black))).toContain('all of the screen is #000000');
  });

  test('another size, as of a controller that took no orders', () => {
    const unset = { width: 640, height: 480, rgb: Buffer.alloc(640 * 480 * 3) };
    const text = says(compare(unset));
    expect(text).toMatch(/^driver: scanout: .* shows 640 x 480 pixels instead of 250 x 200/);
  });
});

test.describe('evidence that is missing or contradicts itself', () => {
  const right = compare(scannedOut((page) => page));
  const first = { x: 0, y: 0, drawn: 1, seen: 2 };
  const bad: Record<string, Scanout> = {
    'not all was compared': { ...right, compared: right.compared - 1 },
    'wrong pixels, none of which is named': { ...right, wrong: 3, wrongRows: 1 },
    'a wrong pixel among none': { ...right, first },
    'no picture': { ...right, drawn: { width: 0, height: 0 }, seen: { width: 0, height: 0 }, compared: 0 },
    'counts that are none': { ...right, compared: Number.NaN },
  };
  for (const [name, scanout] of Object.entries(bad)) {
    test(name, () => expect(says(scanout)).toMatch(/^lab: evidence: /));
  }
});

test.describe('pictures as files', () => {
  const pixels = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);

  test('a PPM is read', () => {
    expect(parsePpm(Buffer.concat([Buffer.from('P6\n2 2\n255\n'), pixels]))).toEqual({
      width: 2,
      height: 2,
      rgb: pixels,
    });
  });

  test('rows that QEMU padded to four bytes lose the padding', () => {
    const rows = [0, 6].flatMap((at) => [pixels.subarray(at, at + 6), Buffer.from([0xee, 0xee])]);
    expect(parsePpm(Buffer.concat([Buffer.from('P6\n2 2\n255\n'), ...rows])).rgb).toEqual(pixels);
  });

  for (const [name, file] of Object.entries({
    'half a picture': Buffer.concat([Buffer.from('P6\n2 2\n255\n'), pixels.subarray(0, 7)]),
    'another format': Buffer.from('P5\n2 2\n255\n1234'),
    'an empty file': Buffer.alloc(0),
  })) {
    test(`${name} is the lab's trouble`, () => expect(() => parsePpm(file)).toThrow(LabError));
  }

  test('a PNG holds every pixel', () => {
    const png = encodePng(chart);
    expect(png.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
    // The last chunk is the same in every PNG, its checksum included.
    expect(png.subarray(-12).toString('hex')).toBe('0000000049454e44ae426082');
    const length = png.readUInt32BE(33);
    expect([png.toString('latin1', 12, 16), png.toString('latin1', 37, 41)]).toEqual(['IHDR', 'IDAT']);
    expect(unfiltered(inflateSync(png.subarray(41, 41 + length)), WIDTH * 3)).toEqual(chart.rgb);
  });
});

/** Rows of PNG's filter 2, without the filter's number, each added to the one above. */
function unfiltered(rows: Buffer, rowBytes: number): Buffer {
  const height = rows.length / (rowBytes + 1);
  const rgb = Buffer.alloc(height * rowBytes);
  for (let y = 0; y < height; y++) {
    const row = rows.subarray(y * (rowBytes + 1), (y + 1) * (rowBytes + 1));
    expect(row[0]).toBe(2);
    for (let x = 0; x < rowBytes; x++) {
      rgb[y * rowBytes + x] = (row[x + 1] ?? 0) + (rgb[(y - 1) * rowBytes + x] ?? 0);
    }
  }
  return rgb;
}
