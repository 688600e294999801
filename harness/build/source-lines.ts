// SPDX-License-Identifier: MIT
/**
 * From a place in a module's code to the line of its source, by the module's own debug information:
 * what the kernel's scripts/faddr2line does, on the machine that built the module.
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Deadline } from '../deadline.ts';
import { run } from '../process.ts';
import { crossPrefix, type Architecture } from './architectures.ts';

/** Where a place in the module's code is; the shape of a frame in a back trace. Bytes. */
export interface CodePlace {
  symbol: string;
  offset: number;
  /** Size of the function, 0 when it is not known. */
  size: number;
  /** The call that returns there is meant. */
  returns: boolean;
}

export interface ModuleBinary {
  /** Path of the .ko. */
  file: string;
  architecture: Architecture;
  /** Folder of the source it was built from. */
  source: string;
}

/** Milliseconds for each of the two programs; they take some ten. */
const TOOL_LIMIT = 30_000;

/**
 * The lines of source of a place, as `driver/module/device.c:149` seen from the current folder, the
 * innermost inlined function first. Empty when it cannot be told: no debug information, no such function, no tools. A report without it is still one.
 */
export async function sourceLines(module: ModuleBinary, place: CodePlace): Promise<string[]> {
  const prefix = crossPrefix(module.architecture);
  const symbols = await textOf([`${prefix}objdump`, '--syms', module.file]);
  const functions = parseFunctions(symbols).filter(({ name }) => name === place.symbol);
  const [one, ...others] =
    functions.length > 1 ? functions.filter(({ size }) => size === place.size) : functions;
  if (one === undefined || others.length > 0) return [];
  // The call is before the place it returns to.
  const address = one.start + place.offset - (place.returns ? 1 : 0);
  const argv = ['--exe', module.file, '--section', one.section, '--inlines', `0x${address.toString(16)}`];
  const said = await textOf([`${prefix}addr2line`, ...argv]);
  return said.split('\n').flatMap((line) => shortened(line, module.source));
}

/** The place of an address in the module's code, where it is known how far behind the code's beginning that is. */
export async function placeAt(module: ModuleBinary, offset: number): Promise<CodePlace | undefined> {
  const symbols = await textOf([`${crossPrefix(module.architecture)}objdump`, '--syms', module.file]);
  const found = parseFunctions(symbols).find(
    ({ section, start, size }) => section === '.text' && start <= offset && offset < start + size,
  );
  if (found === undefined) return undefined;
  return { symbol: found.name, offset: offset - found.start, size: found.size, returns: true };
}

interface CodeSymbol {
  name: string;
  section: string;
  start: number;
  size: number;
}

/** The functions in objdump's table of symbols: address, flags with an F, section, size, name. */
export function parseFunctions(table: string): CodeSymbol[] {
  return table.split('\n').flatMap((line) => {
    const [, start, section, size, name] =
      /^([0-9a-f]+) .{6}F (\S+)\t([0-9a-f]+) (?:\.hidden )?(\S+)$/.exec(line) ?? [];
    if (start === undefined || section === undefined || size === undefined || name === undefined) return [];
    return [{ name, section, start: Number.parseInt(start, 16), size: Number.parseInt(size, 16) }];
  });
}

/** The build's own folder is chance; what counts is the file's place in the module's source or in the kernel's. */
function shortened(line: string, source: string): string[] {
  const [, path, number] = /^(.+):(\d+)(?: \(discriminator \d+\))?$/.exec(line) ?? [];
  if (path === undefined || number === undefined || path === '??') return [];
  const parts = path.split('/');
  const tails = parts.map((_, skipped) => join(source, ...parts.slice(skipped)));
  const file = tails.find((candidate) => existsSync(candidate));
  if (file !== undefined) return [`${relative('.', file)}:${number}`];
  return [`${path.replace(/^.*\/(?=(include|arch|kernel|mm|drivers|lib)\/)/, '')}:${number}`];
}

async function textOf(argv: [string, ...string[]]): Promise<string> {
  const result = await run(argv, { deadline: Deadline.in(TOOL_LIMIT) }).catch(() => undefined);
  return result?.code === 0 ? result.stdout : '';
}
