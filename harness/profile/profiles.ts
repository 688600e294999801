// SPDX-License-Identifier: MIT
/** The table of drivers under test: one line per profile. */
import { contigbuf } from './contigbuf.ts';
import type { DriverProfile } from './profile.ts';

export const profiles = { contigbuf } satisfies Record<string, DriverProfile>;
export type ProfileName = keyof typeof profiles;
