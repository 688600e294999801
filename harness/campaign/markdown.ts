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
