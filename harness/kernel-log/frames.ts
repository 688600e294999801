// SPDX-License-Identifier: MIT
/** Places in code as the kernel prints them, `symbol+offset/size [module]` (lib/vsprintf.c `%pS`). */

/** One such place. Offsets and sizes are in bytes. */
export interface Frame {
  symbol: string;
  offset: number;
  /** Size of the function; tells functions of one name apart. */
  size: number;
  /** Missing for the kernel itself. */
  module?: string;
  /** It is where a call returns to, one instruction behind the call; else what was running. */
  returns: boolean;
}

const place = String.raw`([\w.]+)\+0x([0-9a-f]+)\/0x([0-9a-f]+)(?: \[([\w-]+)[^\]]*\])?`;
const inTrace = new RegExp(`^\\s*${place}`);
const running = new RegExp(`^(?:pc : |RIP: \\w+:|PC is at |EIP: )${place}`);

/** The frame a line of a report shows, if it shows one. */
export function frameOf(line: string): Frame | undefined {
  const now = running.exec(line);
  const [, symbol, offset, size, module] = now ?? inTrace.exec(line) ?? [];
  if (symbol === undefined || offset === undefined || size === undefined) return undefined;
  return {
    symbol,
    offset: Number.parseInt(offset, 16),
    size: Number.parseInt(size, 16),
    ...(module === undefined ? {} : { module }),
    returns: now === null,
  };
}

/** As a reader names it: `release [contigbuf]`. */
export function frameName({ symbol, module }: Frame): string {
  return module === undefined ? symbol : `${symbol} [${module}]`;
}
