// SPDX-License-Identifier: MIT
/**
 * DBF, CAC-06: a buffer as a dma-buf. drivers/dma-buf/dma-buf.c (llseek, mmap, ioctl, fdinfo) and
 * Documentation/driver-api/dma-buf.rst.
 */
import { dirtyMemory, expect, newNonce, test, type DmaBuf } from '../../fixtures/index.ts';
import { slopeOf } from '../../harness/judge/judges.ts';
import type { Attempt } from '../../harness/judge/observation.ts';
