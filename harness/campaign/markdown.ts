// SPDX-License-Identifier: MIT
/** Tables of campaigns in Markdown. Pure. */

/** A row of a table; what is in a cell cannot break it. */
export function tableRow(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}

/** What fits into a cell. */
export function short(text: string): string {
  return text.length > 240 ? `${text.slice(0, 239)}…` : text;
}

/** What a table says of rows that are not there. @param count how many */
export function missingLine(count: number): string[] {
  return count === 0 ? [] : [`Missing: ${count} (the campaign goes on, or was cut short).`];
}
