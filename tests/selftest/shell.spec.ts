// SPDX-License-Identifier: MIT
/** A program that takes over the terminal goes with the command line that started it, and takes its guests down first. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@playwright/test';
import { endOf, startOwned } from '../../harness/process.ts';

const module = fileURLToPath(new URL('../../harness/cli/shell.ts', import.meta.url));

/** Goes on until it gets Ctrl-C. */
const TOOL = `#!/bin/sh
trap 'echo taken down >"$0.said"; exit 130' INT
echo at work >"$0.said"
while :; do sleep 0.1; done
`;

for (const [signal, ending] of [
  ['SIGTERM', { code: 130, signal: null }],
  ['SIGKILL', { code: null, signal: 'SIGKILL' }],
] as const) {
  test(`after ${signal} to the command line`, async ({}, info) => {
    const project = info.outputPath('checkout');
    const tool = join(project, 'node_modules', '.bin', 'tool');
    await mkdir(join(project, 'node_modules', '.bin'), { recursive: true });
    await writeFile(tool, TOOL);
    await chmod(tool, 0o755);
    const said = () => readFile(`${tool}.said`, 'utf8').catch(() => '');
    const script = `
      import { runTool } from ${JSON.stringify(module)};
      process.exitCode = await runTool(${JSON.stringify(project)}, 'tool', []);`;
    const argv = ['--import', 'tsx', '--input-type=module', '--eval', script];
    const child = startOwned([process.execPath, ...argv], { stdio: ['ignore', 'inherit', 'inherit'] });
    const ended = endOf(child, 'the command line');
    await expect.poll(said).toBe('at work\n');
    child.kill(signal);
    expect(await ended).toEqual(ending);
    await expect.poll(said).toBe('taken down\n');
  });
}
