// SPDX-License-Identifier: MIT
/** One test as the reports tell of it: which claim, about which driver, on which target, with which verdict. */
import { basename, dirname, relative } from 'node:path';
import type { FullConfig, Suite, TestCase } from '@playwright/test/reporter';
import type { DriverFacts, RigAnnotation, TargetFacts } from './contract.ts';
import { judgeTest, type Judged } from './verdict.ts';

export interface Outcome {
  test: TestCase;
  /** Id in the catalogue of claims, for example `GEO-03`; empty when the title has none. */
  claim: string;
  /** Title with its describe blocks, as in `offset-cookie › GEO-03 …`. */
  title: string;
  project: string;
  /** Spec file and line, relative to the project's folder. */
  location: string;
  /** The property, see `story` in contract.ts. */
  story: string;
  /** Whether it says something about the driver; the others are about the rig itself. */
  about: 'driver' | 'rig';
  judged: Judged;
  /** Missing when the test ended before its target was open. */
  target: TargetFacts | undefined;
  driver: DriverFacts | undefined;
  /** What it shared with others; empty when it had no target. */
  isolation: string;
}

const aboutTheRig = /(^|\/)tests\/(selftest|system|mutation|bench\/rig)\//;

/** Every test of a run, also those that never started. */
export function outcomesOf(config: FullConfig, suite: Suite): Outcome[] {
  const rootDir = config.configFile === undefined ? config.rootDir : dirname(config.configFile);
  return suite.allTests().map((test) => outcomeOf(test, rootDir));
}

/** @param rootDir the folder that locations are told from */
export function outcomeOf(test: TestCase, rootDir: string): Outcome {
  const file = relative(rootDir, test.location.file);
  const [, project = '', , ...titles] = test.titlePath();
  return {
    test,
    claim: /^[A-Z]{3}-\d{2}/.exec(test.title)?.[0] ?? '',
    title: titles.join(' › '),
    project,
    location: `${file}:${test.location.line}`,
    story:
      annotationOf(test, 'story') ??
      basename(file)
        .replace(/\.spec\.ts$/, '')
        .replaceAll('-', ' '),
    about: aboutTheRig.test(test.location.file) ? 'rig' : 'driver',
    judged: judgeTest(test),
    target: targetOf(test),
    driver: driverOf(test),
    isolation: annotationOf(test, 'isolation') ?? '',
  };
}

/** What tells targets apart in a report: figures and verdicts of different rows are never added up. */
export function describeTarget({ name, kernelRelease, machine, pageBytes, details }: TargetFacts): string {
  const accelerator = details['accelerator'];
  const how = accelerator === undefined ? '' : `, ${accelerator}`;
  return `${name} (Linux ${kernelRelease} ${machine}, ${pageBytes / 1024} KiB pages${how})`;
}

export function describeDriver({ profile, version, commit }: DriverFacts): string {
  return `${profile} ${version}${commit === '' ? '' : ` (${commit})`}`;
}

/** The last annotation of this type, of the last attempt that has one. */
function annotationOf(test: TestCase, type: RigAnnotation['type']): string | undefined {
  const all = [...test.annotations, ...test.results.flatMap((result) => result.annotations)];
  return all.findLast((annotation) => annotation.type === type)?.description;
}

function targetOf(test: TestCase): TargetFacts | undefined {
  const json = annotationOf(test, '_target');
  if (json === undefined) return undefined;
  const facts: TargetFacts = JSON.parse(json);
  return facts;
}

function driverOf(test: TestCase): DriverFacts | undefined {
  const json = annotationOf(test, '_driver');
  if (json === undefined) return undefined;
  const facts: DriverFacts = JSON.parse(json);
  return facts;
}
