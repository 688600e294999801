// SPDX-License-Identifier: MIT
/** The guests the rig boots, as playwright.config.ts makes projects of them; the first is the default. */
import type { QemuSpec } from './spec.ts';

export const guests: readonly [QemuSpec, ...QemuSpec[]] = [
  {
    kind: 'qemu',
    name: 'qemu-arm64',
    machine: 'virt-arm64',
    kernel: { flavour: 'arm64' },
    cpus: 2,
    memoryMiB: 768,
    append: ['cma=256M'],
  },
];
