// SPDX-License-Identifier: MIT
/** From what a run left in which something of the lab broke to whether it ended as it should. Pure. */
import type { Ran, SuiteReport } from '../campaign/suite-run.ts';
import { exitStatus } from '../report/exit-status.ts';
import type { Red } from '../report/run-summary.ts';
import type { Fault } from './fault.ts';
import type { LeftOver } from './watched-run.ts';

/** `right`; `wrong`; `not-injected`: the fault could not be brought about in time; `not-run`: not on this machine. */
export type Outcome = 'right' | 'wrong' | 'not-injected' | 'not-run';

/** Everything that is known of a run. */
export interface Happened {
  report: SuiteReport;
  /** What the second run left, where there was one. */
  twin?: SuiteReport;
  /** Why the fault was not brought about; undefined when it was. */
  missed?: string;
  /** What was left on this machine afterwards. */
  left: LeftOver;
}

export interface Judgement {
  outcome: Outcome;
  /** What did happen, in words. */
  happened: string;
  /** What should not have; empty when the outcome is right. */
  wrong: string[];
}

type Case = Pick<Fault, 'victim' | 'promised'>;

export function judgeFault(fault: Case, happened: Happened): Judgement {
  const { report, twin, missed } = happened;
  const said = [report, ...(twin === undefined ? [] : [twin])].map(describe).join('; and the other run: ');
  const wrong = [
    ...wrongIn(fault, report),
    ...(twin === undefined ? [] : wrongIn(fault, twin)),
    ...leftIn(happened),
  ];
  if (missed !== undefined) return { outcome: 'not-injected', happened: `${missed}; ${said}`, wrong };
  return { outcome: wrong.length === 0 ? 'right' : 'wrong', happened: said, wrong };
}

function wrongIn(fault: Case, report: SuiteReport): string[] {
  const { promised } = fault;
  if (promised.outcome === 'told') return wrongOnTerminal(promised.cause, report);
  const { summary, tests = [], ending } = report;
  if (summary === undefined) return [`the run left no summary: ${lastLine(report.said)}`];
  const blamed = summary.red.filter(({ verdict }) => !['infra', 'not-run'].includes(verdict));
  return [
    ...blamed.map(
      ({ verdict, title, cause }) => `the driver was blamed: ${title} is ${verdict}: ${brief(cause)}`,
    ),
    ...(promised.outcome === 'pass'
      ? wrongAtPass(fault, report)
      : wrongAtInfra(fault.victim, promised.cause, report)),
    ...summary.red
      .filter(({ title, verdict }) => !isOf(title, fault.victim) && ['infra', 'not-run'].includes(verdict))
      .map(
        ({ title, verdict, cause }) => `${title}, which nothing was done to, is ${verdict}: ${brief(cause)}`,
      ),
    ...(tests.length < 2 ? ['hardly a test ran'] : []),
    ...wrongEnd(promised.outcome === 'pass' ? 0 : exitStatus.lab, ending.code),
  ];
}

function wrongAtInfra(victim: string, cause: RegExp, { summary, tests = [] }: SuiteReport): string[] {
  const red = summary?.red.find((one) => isOf(one.title, victim));
  const others = tests.filter(({ title }) => !isOf(title, victim));
  const unfinished = others.filter(({ status }) => status === 'skipped');
  return [
    ...(red === undefined
      ? [`${victim} is not red, as if nothing had happened`]
      : wrongCause(red, cause, tests)),
    ...(summary?.colour === 'lab' ? [] : [`the run is ${summary?.colour}, not red for the lab`]),
    ...unfinished.map(({ title }) => `${title} did not run`),
  ];
}

/** The one line of the summary names the kind of error; the error itself has the evidence. */
function wrongCause({ verdict, title, cause }: Red, expected: RegExp, tests: readonly Ran[]): string[] {
  if (verdict === 'not-run') return [`${title} did not run`];
  const errors = tests.filter((test) => isOf(title, test.title)).flatMap((test) => test.errors);
  return errors.some((error) => expected.test(error)) || expected.test(cause)
    ? []
    : [`the cause is not told: ${brief(cause)}`];
}

function wrongAtPass({ victim, promised }: Case, { summary, tests = [] }: SuiteReport): string[] {
  const least = promised.outcome === 'pass' ? (promised.atLeastSeconds ?? 0) : 0;
  const ran = tests.find(({ title }) => isOf(title, victim));
  const seconds = (ran?.duration ?? 0) / 1000;
  return [
    ...(ran === undefined ? [`${victim} did not run`] : []),
    ...(seconds < least ? [`${victim} took ${seconds.toFixed(1)} s and cannot have met the fault`] : []),
    ...(summary?.colour === 'green' ? [] : [`the run is red for the ${summary?.colour}`]),
  ];
}

function wrongOnTerminal(cause: RegExp, { said, ending }: SuiteReport): string[] {
  return [
    ...(said.includes('The driver is red') ? ['the run says that the driver is red'] : []),
    ...(said.includes('The lab is red') ? [] : ['the run does not say that the lab is red']),
    ...(/^([2-9]|\d{2,}) passed, /m.test(said) ? [] : ['hardly a test passed']),
    ...(cause.test(said) ? [] : [`the run does not say why: ${lastLine(said)}`]),
    ...wrongEnd(exitStatus.lab, ending.code),
  ];
}

function wrongEnd(expected: number, code: number | null): string[] {
  return code === expected ? [] : [`the exit status is ${code}, not ${expected}`];
}

function leftIn({ left }: Happened): string[] {
  return Object.entries(left)
    .filter(([, things]) => things.length > 0)
    .map(([kind, things]) => `left over: ${kind}: ${things.slice(0, 4).join(', ')}`);
}

/** What the run says of itself. */
function describe({ summary, ending, said }: SuiteReport): string {
  const end = `exit status ${ending.code ?? ending.signal}`;
  if (summary === undefined) return `no summary; ${end}; at last: ${lastLine(said)}`;
  const { claims, red, errors } = summary;
  const counted = Object.entries(claims)
    .filter(([, count]) => count > 0)
    .map(([verdict, count]) => `${verdict} ${count}`);
  const causes = red.map(
    ({ title, verdict, cause }) => `${title.split(' › ').at(-1)?.slice(0, 6)} ${verdict}: ${brief(cause)}`,
  );
  const outside = errors.map(({ cause }) => `outside any test: ${brief(cause)}`);
  return [counted.join(', '), ...causes, ...outside, end].join('; ');
}

function isOf(title: string, victim: string): boolean {
  return title === victim || title.endsWith(` › ${victim}`);
}

function brief(text: string): string {
  const [line = ''] = text.split('\n');
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
