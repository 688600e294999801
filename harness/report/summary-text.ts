// SPDX-License-Identifier: MIT
/** A run's summary as it ends a run on the terminal: what was checked, what is red, and whose fault it is. */
import { describeDriver, describeTarget } from './outcome.ts';
import { blamesLab, total, type Counts, type Red, type RunSummary } from './run-summary.ts';

/** Several lines; the last is `N passed, N failed`, where everything red counts as failed. */
export function summaryText(summary: RunSummary): string {
  const { claims, rig, targets, drivers, isolation, red, notRun, errors } = summary;
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
    ...section('The lab is red: these say nothing about the driver', [...labRed.map(line), ...outsideLab]),
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

/** One line per reason: a capability that a target lacks keeps dozens of tests from running. */
function reasons(notRun: RunSummary['notRun']): string[] {
  const byReason = new Map<string, string[]>();
  for (const { reason, claim, title } of notRun) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), claim === '' ? title : claim]);
  }
  return [...byReason].map(([reason, names]) => `  ${[...new Set(names)].join(', ')}: ${reason}`);
}
