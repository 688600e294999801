// SPDX-License-Identifier: MIT
/** A mutant that is described as those of driver/mutants are. */
import { parseMutant, type Mutant } from '../../harness/mutation/mutant.ts';

export const HEAD = 'P99 bounds: the end is not looked at.\nKilled-by: BND-01 BND-04\n\n';
export const DIFF = '--- a/driver/module/mmap.c\n+++ b/driver/module/mmap.c\n@@ -1 +1 @@\n-a\n+b\n';
export const mutant = (text = HEAD + DIFF): Mutant => parseMutant('/mutants/P99.diff', text);
