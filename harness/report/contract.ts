// SPDX-License-Identifier: MIT
/**
 * What a test hands to the reporters. Playwright carries two things from a test to a reporter,
 * annotations and attachments; these are the ones the rig gives a meaning. Types only: fixtures
 * write `testInfo.annotations.push({ ... } satisfies RigAnnotation)`.
 *
 * A fixture owes the report:
 * - `_target`, as soon as the target is open, and `_driver`, as soon as the driver is loaded;
 * - `verdict`, whenever it knows better than an error message can say: above all `crash`, `hang` and
 *   `infra`. It may be pushed more than once; the strongest counts, see verdict.ts;
 * - `cause`, one line in words, beside such a verdict;
 * - attachments of stable names for the evidence, and `measurement` for every measured value.
 * Types that start with an underscore are not shown in Playwright's HTML report.
 */
import type { Measurement } from '../measure/measurement.ts';
import type { TargetFacts } from '../target/target.ts';
import type { Verdict } from './verdict.ts';

export type RigAnnotation =
  | { type: 'verdict'; description: Verdict }
  /** Why, in one line: `KASAN: use-after-free in contigbuf_release`. */
  | { type: 'cause'; description: string }
  /** The property the test claims, as the report groups it; else the name of the spec file. */
  | { type: 'story'; description: string }
  /** Name of a witness that told where memory lies; one each. */
  | { type: '_witness'; description: string }
  /** What the test shared with others, and what its target was like at first. */
  | { type: 'isolation'; description: string }
  /** {@link TargetFacts} as JSON. */
  | { type: '_target'; description: string }
  /** {@link DriverFacts} as JSON. */
  | { type: '_driver'; description: string };

/** The driver under test, for the report. */
export interface DriverFacts {
  /** Name of the profile, for example `contigbuf`. */
  profile: string;
  /** What the loaded driver says about itself. */
  version: string;
  /** Git commit of its source, with `+` when the source was changed since; empty when it has none. */
  commit: string;
}

/** Names of attachments, and what they hold. Anything else may be attached too and is shown as it is. */
export interface RigAttachments {
  /** application/json: one measured value. */
  measurement: Measurement;
  /** application/json: an observation, as it was judged. */
  observation: unknown;
  /** text/plain: the kernel log of this test. */
  'kernel log': string;
  /** text/plain: the serial console, its end. */
  console: string;
  /** image/svg+xml: where the buffers lie. */
  layout: string;
  /** text/plain: what the drawing program said. */
  drawing: string;
  /**
   * image/png: what the screen showed; and, when that was wrong, what it ought to have shown and where
   * they differ. Playwright's report lays pictures over one another that are named like this.
   */
  'screen-actual': Buffer;
  'screen-expected': Buffer;
  'screen-diff': Buffer;
}

export type { Measurement, TargetFacts, Verdict };
