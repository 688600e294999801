// SPDX-License-Identifier: MIT
/** Where a run that a verb starts leaves its reports. */
import { holdReports } from '../report/reports-folder.ts';
import type { Context } from './verb.ts';

/** @returns the absolute path of a folder that is no other run's until this process ends. @throws LabError `REPORTS_BUSY` */
export function reportsOf({ settings, environment, terminal }: Context): Promise<string> {
  return holdReports(settings.reports, environment, (line) => terminal.line(line));
}
