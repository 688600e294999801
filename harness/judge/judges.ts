// SPDX-License-Identifier: MIT
/** The table of judges: every one is a pure function from an observation to findings. One line per judge. */
export { judgePlacement, resolvePlacement, usualWitnesses, type Resolution } from './placement.ts';
export { judgeContiguity } from './contiguity.ts';
export { judgeAlignment, judgeClaim } from './alignment.ts';
export { judgeMemoryTypes } from './memory-type.ts';
export { judgeHandOver } from './hand-over.ts';
export { judgeReach } from './reach.ts';
export { judgeDisjointness } from './disjointness.ts';
export { judgeContents } from './contents.ts';
export { judgePageOrder } from './page-order.ts';
export { comparePictures, type FrameLayout } from './pictures.ts';
export { judgeScanout } from './scanout.ts';
export { judgeErrno, judgeSuccess } from './errno.ts';
export { judgeExpectations } from './expectations.ts';
export { judgeCourse, slopeOf } from './course.ts';
export { judgeExtent } from './extent.ts';
export { judgeAnswers } from './answer.ts';
export { judgeBalance } from './balance.ts';
export { judgeDisclosure } from './disclosure.ts';
export { judgeRanges } from './ranges.ts';
export { describeClaim, describeRuns, runsOf, type Run } from './runs.ts';
export { drawLayout } from './layout.ts';
export { drawPageOrder } from './page-order-picture.ts';
export { hex, size } from './wording.ts';
