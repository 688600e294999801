#!/usr/bin/env node
// SPDX-License-Identifier: MIT
/**
 * The door: plain JavaScript without dependencies, since it runs before there are any. It sees to
 * Node's version and to node_modules, then hands over to the TypeScript in main.ts, in this process.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const OLDEST_NODE = [20, 19];
/** npm waits minutes in silence for a registry that cannot be reached. */
const IMPATIENT = ['--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];

const project = fileURLToPath(new URL('../../', import.meta.url));

// Whoever read our output has gone (`| head`): end as any program would, by SIGPIPE's status.
process.stdout.on('error', ({ code }) => process.exit(code === 'EPIPE' ? 141 : 1));

checkNode();
if (!packagesMatchLockFile()) installPackages();
const { register } = await import('tsx/esm/api');
register();
const { main } = await import('./main.ts');
process.exitCode = await main(process.argv.slice(2));

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  fail(`bufrig needs Node ${OLDEST_NODE.join('.')} or newer; this is ${process.versions.node}`);
}

/** Whether node_modules holds what package-lock.json says; npm leaves its own list of what it installed. */
function packagesMatchLockFile() {
  const installed = packagesIn(`${project}node_modules/.package-lock.json`);
  const wanted = packagesIn(`${project}package-lock.json`);
  if (installed === undefined || wanted === undefined) return false;
  const same = ([path, { version, integrity }]) =>
    wanted[path]?.version === version && wanted[path]?.integrity === integrity;
  // Optional packages are those for other operating systems.
  const present = ([path, { optional }]) => path === '' || optional === true || path in installed;
  return Object.entries(installed).every(same) && Object.entries(wanted).every(present);
}

function packagesIn(file) {
  if (!existsSync(file)) return undefined;
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

function installPackages() {
  const started = Date.now();
  process.stdout.write('npm packages: installing what package-lock.json says\n');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', ...IMPATIENT], {
    cwd: project,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (result.status !== 0) {
    const cause = result.error?.message ?? `npm ended with ${result.signal ?? `status ${result.status}`}`;
    fail(`the npm packages could not be installed: ${cause}\nTry: npm ci`);
  }
  process.stdout.write(`npm packages: done in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
