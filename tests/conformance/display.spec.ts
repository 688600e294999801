// SPDX-License-Identifier: MIT
/**
 * What buffers like these are for: a device takes its orders from one and shows the picture in
 * another, each by the address that the driver tells, and neither goes through a page table.
 */
import { randomInt } from 'node:crypto';
import { expect, test } from '../../fixtures/index.ts';

const sizes = [
  { width: 1920, height: 1080 },
  // Rows that do not fill the space between them, and the last page not either.
  { width: 1001, height: 767 },
];

for (const { width, height } of sizes) {
  test(`GEO-09 the screen shows the ${width} x ${height} picture at the address that was told`, async ({
    agent,
    draw,
    driver,
  }) => {
    const bus = await driver.profile.system.busReach?.(agent);
    test.skip(bus !== undefined && bus.onBus !== bus.start, 'the screen is not behind the device’s bus');
    const drawing = await draw({ width, height, number: randomInt(2 ** 32) });
    await expect(drawing).toBeOnTheScreen();
  });
}
