// SPDX-License-Identifier: MIT
/**
 * From what Playwright and the fixtures say about a test to one of the rig's six verdicts. What a
 * fixture stated outranks what can be read off an error; a verdict is never better than the worst
 * thing that happened, and an outcome nobody stated is never a pass.
 */
import type { TestCase, TestError, TestResult } from '@playwright/test/reporter';

/**
 * `pass` the claim holds; `fail` it does not; `crash` the target's kernel broke while the driver was in
 * use; `hang` the target stopped answering; `infra` the lab failed and nothing is known about the
 * driver; `not-run` nobody tried; `deviates` the claim does not hold, just as the driver's profile has it
 * on record.
 */
export type Verdict = 'pass' | 'deviates' | 'fail' | 'crash' | 'hang' | 'infra' | 'not-run';

/** Strongest first: of several things that happened to one test the first listed is its verdict. */
export const precedence: readonly Verdict[] = [
  'crash',
  'fail',
  'hang',
  'infra',
  'deviates',
  'pass',
  'not-run',
];

/** One test's verdict, and why. */
export interface Judged {
  verdict: Verdict;
  /** One line; empty for a pass. */
  cause: string;
  /** Nobody ran it and nobody declared why, as when the run was cut short. Red, unlike a declared skip. */
  undeclared: boolean;
}

const notStarted = 'never started: a test it depends on failed, or the run was cut short';

/** Whether the outcome leaves the run red. */
export function isRed({ verdict, undeclared }: Judged): boolean {
  if (verdict === 'deviates') return false;
  return verdict === 'not-run' ? undeclared : verdict !== 'pass';
}

/** Over all attempts: trouble of the lab counts only if no later attempt got through. */
export function judgeTest(test: TestCase): Judged {
  const attempts = test.results.map((result) => judgeResult(test, result));
  const known = attempts.filter(({ verdict }) => verdict !== 'infra' && verdict !== 'not-run');
  const last = attempts.at(-1);
  if (last === undefined) return { verdict: 'not-run', cause: notStarted, undeclared: true };
  return strongest(known) ?? last;
}

/** The verdict of one attempt. */
export function judgeResult(test: TestCase, result: TestResult): Judged {
  const stated = result.annotations
    .filter(({ type }) => type === 'verdict')
    .map(({ description }) => statedVerdict(description));
  const cause = result.annotations.find(({ type }) => type === 'cause')?.description;
  const candidates = stated.map((verdict) => ({ verdict, cause: '', undeclared: false }));

  if (result.status === 'skipped') {
    const gate = result.annotations.find(({ type }) => type === 'skip' || type === 'fixme');
    const why = gate === undefined ? notStarted : (gate.description ?? 'skipped by the test');
    candidates.push({ verdict: 'not-run', cause: why, undeclared: gate === undefined });
  } else if (result.status === test.expectedStatus) {
    candidates.push({ verdict: 'pass', cause: '', undeclared: false });
  } else if (result.status === 'interrupted') {
    candidates.push({ verdict: 'not-run', cause: 'interrupted', undeclared: true });
  } else if (result.errors.length === 0) {
    const message = test.expectedStatus === 'failed' ? 'was declared to fail and passed' : result.status;
    candidates.push({ verdict: 'fail', cause: message, undeclared: false });
  }
  // A failure that was declared beforehand is what the test is there for; what broke beside it is not.
  const unexpected = result.status === test.expectedStatus ? [] : result.errors.map(judgeError);
  // Whoever interrupts a run takes its machines from it, so their loss afterwards is no trouble of the lab.
  const interrupted = result.status === 'interrupted';
  candidates.push(...unexpected.filter(({ verdict }) => !(interrupted && verdict === 'infra')));

  const judged = strongest(candidates);
  if (judged === undefined) return { verdict: 'infra', cause: 'it left no outcome', undeclared: false };
  if (judged.verdict === 'pass') return judged;
  return { ...judged, cause: cause ?? (judged.cause === '' ? oneLine(result.errors[0]) : judged.cause) };
}

interface ErrorRule {
  pattern: RegExp;
  verdict: Verdict;
}

/** Read off an error when no fixture said more. The first rule that matches counts. */
const errorRules: readonly ErrorRule[] = [
  { pattern: /^KernelCrash\b/, verdict: 'crash' },
  { pattern: /^TargetHang\b/, verdict: 'hang' },
  { pattern: /^LabError\b/, verdict: 'infra' },
  { pattern: /^DriverError\b/, verdict: 'fail' },
  { pattern: /expect\(/, verdict: 'fail' },
  // A fixture that did not get ready says nothing about the driver; nor does one that took too long to go.
  {
    pattern:
      /^(Worker teardown timeout|"?(beforeAll|afterAll)"? hook timeout|Fixture ".*" timeout|Test timeout of \d+ms exceeded while setting up )/i,
    verdict: 'infra',
  },
  // One without a time of its own does: it waits for what the test has used. Of a process that sleeps in the driver
  // for good nobody else tells: its kernel does not, and the agent of an emulated machine has more time.
  { pattern: /timeout of \d+ms exceeded|^Tearing down ".*" exceeded the test timeout/i, verdict: 'hang' },
  // Errors of the language and of the host's system calls are the rig's own.
  { pattern: /^(Type|Reference|Range|Syntax|Eval|URI|Aggregate)Error\b/, verdict: 'infra' },
  {
    pattern:
      /^Error: (E[A-Z0-9]{2,}: |(connect|read|write|listen|bind|kill|getaddrinfo|spawn)\b.* E[A-Z0-9]{2,}\b)/,
    verdict: 'infra',
  },
  { pattern: /worker process exited unexpectedly/i, verdict: 'infra' },
];

/** The verdict an error speaks by itself; a failed assertion of unknown kind is a `fail`. */
export function judgeError(error: TestError): Judged {
  const message = plain(error.message ?? error.value ?? '');
  const rule = errorRules.find(({ pattern }) => pattern.test(message));
  return { verdict: rule?.verdict ?? 'fail', cause: oneLine(error), undeclared: false };
}

/**
 * Of an error outside any test. Nobody judged the driver there, so it is to blame only where the error says so
 * itself, as when it does not unload after the last test; a failure of unknown kind is the lab's.
 */
export function judgeOutside(error: TestError): Judged {
  const judged = judgeError(error);
  const unknown = judged.verdict === 'fail' && !/^DriverError\b/.test(plain(error.message ?? ''));
  return unknown ? { ...judged, verdict: 'infra' } : judged;
}

function statedVerdict(word: string | undefined): Verdict {
  const verdict = precedence.find((known) => known === word);
  // A word that is none of ours is the rig's mistake, and must not make the run green.
  return verdict ?? 'infra';
}

function strongest(candidates: readonly Judged[]): Judged | undefined {
  return candidates.toSorted((a, b) => precedence.indexOf(a.verdict) - precedence.indexOf(b.verdict))[0];
}

/** Characters of a difference that one line tells. */
const ONE_LINE = 200;

/**
 * An error in one line: of an assertion what it expected and saw, of anything else its first line.
 * Colours, and the words that Playwright puts before and after, are dropped.
 */
export function oneLine(error: TestError | undefined): string {
  const text = plain(error?.message ?? error?.value ?? '');
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const [first = ''] = lines;
  const assertion = lines.findIndex((line) => line.includes('expect('));
  if (assertion === -1) return first.replace(/^Error: /, '');
  const [seen, more] = lines.slice(assertion + 1);
  const said = difference(text) ?? (more?.startsWith('Received') === true ? `${seen}, ${more}` : seen);
  const title = assertion === 0 ? [] : [first];
  return [...title, said ?? lines[assertion]].join(': ').replace(/^Error: /, '');
}

/** What a comparison of two structures found, where it is told line by line. */
function difference(text: string): string | undefined {
  const [, marked] = text.split(/^- Expected .*\n\+ Received .*\n/m);
  if (marked === undefined) return undefined;
  const only = (mark: string): string =>
    marked
      .split('\n')
      .filter((line) => line.startsWith(mark))
      .map((line) => line.slice(mark.length).trim())
      .join(' ')
      .replace(/,$/, '');
  return `Expected: ${only('-') || 'nothing more'}, Received: ${only('+') || 'nothing'}`.slice(0, ONE_LINE);
}

/** Text without terminal colours. */
export function plain(text: string): string {
  return text.replaceAll(new RegExp(`${String.fromCodePoint(27)}\\[[0-9;]*m`, 'g'), '');
}
