// SPDX-License-Identifier: MIT
/** A run's summary as it ends a run on the terminal: what was checked, what is red, and whose fault it is. */
import { describeDriver, describeTarget } from './outcome.ts';
import { blamesLab, total, type Counts, type Red, type RunSummary } from './run-summary.ts';

/** Names of tests that are told of those that did not run; summary.json has all. */
const NAMES_TOLD = 12;

/** Several lines; the last is `N passed, N failed`, where everything red counts as failed. */
export function summaryText(summary: RunSummary): string {
  const { claims, rig, targets, drivers, red, isolation, deviations, notRun, errors } = summary;
  const driverRed = red.filter(({ about, verdict }) => about === 'driver' && !blamesLab(verdict));
  const rigRed = red.filter(({ about, verdict }) => about === 'rig' && !blamesLab(verdict));
  const labRed = red.filter(({ verdict }) => blamesLab(verdict));
  const outsideDriver = errors.filter(({ verdict }) => !blamesLab(verdict)).map(outsideTests);
  const outsideLab = errors.filter(({ verdict }) => blamesLab(verdict)).map(outsideTests);
  const passed = claims.pass + rig.pass;
  return [
    '',
    ...(total(claims) === 0 ? [] : [checked(summary)]),
    ...drivers.map((driver) => `  driver ${describeDriver(driver)}`),
    ...targets.map((row) => `  on ${describeTarget(row.facts)}: ${counted(row.claims)}`),
    ...Object.entries(isolation).map(([what, count]) => `  isolation ${what} (${count})`),
    ...(total(rig) === 0 ? [] : [`The rig's own tests: ${counted(rig)}.`]),
    ...section('The driver is red', [...driverRed.map(line), ...outsideDriver]),
    ...section('The rig is red: mend it before believing its verdicts', rigRed.map(line)),
    ...section('The lab is red: these say nothing about the driver', [
      ...labRed.filter(({ verdict }) => verdict !== 'not-run').map(line),
      ...outsideLab,
    ]),
    ...section('Not run, and nobody declared why', undeclared(labRed)),
    ...section('Deviates as recorded in the profile', recorded(deviations)),
    ...section('Not run, with a declared reason', reasons(notRun)),
    '',
    `${passed} passed, ${red.length + errors.length} failed`,
    '',
  ].join('\n');
}

function checked({ claims }: RunSummary): string {
  const checkedCount = total(claims) - claims.infra - claims['not-run'];
  return `${checkedCount} of ${total(claims)} claims checked: ${counted(claims)}.`;
}

/** Every verdict, also those nobody got: what is not there was counted, too. */
function counted(counts: Counts): string {
  return Object.entries(counts)
    .map(([verdict, count]) => `${verdict} ${count}`)
    .join(', ');
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title} (${lines.length})`, ...lines];
}

function line({ verdict, claim, title, project, target, location, cause }: Red): string {
  const where = target === '' || target === project ? project : `${project} on ${target}`;
  const name = claim === '' || title.startsWith(claim) ? title : `${claim}: ${title}`;
  return `  ${verdict.padEnd(7)} ${name} [${where}]\n          ${cause}\n          at ${location}`;
}

function outsideTests({ verdict, cause }: RunSummary['errors'][number]): string {
  return `  ${verdict.padEnd(7)} outside any test\n          ${cause}`;
}

/** One entry per cause, with some of the names: whoever cuts a run short knows that the rest did not run. */
function undeclared(red: readonly Red[]): string[] {
  const causes = namesBy(
    red.filter(({ verdict }) => verdict === 'not-run').map((one) => ({ ...one, reason: one.cause })),
  );
  return [...causes].map(([cause, names]) => {
    const distinct = [...new Set(names)];
    const more = distinct.length > NAMES_TOLD ? ', and others that summary.json lists' : '';
    const told = distinct.slice(0, NAMES_TOLD).join(', ');
    return `  ${String(names.length).padEnd(7)} ${cause}\n          ${told}${more}`;
  });
}

/** One line per record: one mistake of a driver makes several checks fail. */
function recorded(deviations: RunSummary['deviations']): string[] {
  return reasons(deviations.map((one) => ({ ...one, reason: one.cause })));
}

/** One line per reason: a capability that a target lacks keeps dozens of tests from running. */
function reasons(notRun: RunSummary['notRun']): string[] {
  return [...namesBy(notRun)].map(([reason, names]) => `  ${[...new Set(names)].join(', ')}: ${reason}`);
}

/** The claims, or titles where there is none, of what has the same reason. */
function namesBy(all: readonly Pick<RunSummary['notRun'][number], 'reason' | 'claim' | 'title'>[]) {
  const byReason = new Map<string, string[]>();
  for (const { reason, claim, title } of all) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), claim === '' ? title : claim]);
  }
  return byReason;
}
