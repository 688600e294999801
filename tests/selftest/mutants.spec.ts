// SPDX-License-Identifier: MIT
/** Descriptions of mutants make sense, and their diffs apply. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@playwright/test';
import { mutantFrom, mutantsIn, parseMutant } from '../../harness/mutation/mutant.ts';
import { run } from '../../harness/process.ts';
import { strategyNames } from '../../harness/profile/profile.ts';
import { guests } from '../../harness/target/guests.ts';
import { DIFF, HEAD, mutant } from './described-mutant.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'driver', 'mutants');

test.describe('the description of a mutant', () => {
  test('has a default for everything but what it is and who finds it', () => {
    expect(mutant()).toMatchObject({
      ...{ id: 'P99', kind: 'bounds', what: 'the end is not looked at.', killedBy: ['BND-01', 'BND-04'] },
      ...{
        guests: ['qemu-arm64'],
        strategies: ['fd-per-buffer'],
        append: [],
        verdicts: ['fail'],
        slow: false,
      },
    });
  });

  test('says what it needs', () => {
    const needs =
      'Guest: qemu-amd64\nAppend: a=1 b\nStrategy: dma-buf\nVerdict: crash\nSlow: yes\nWaits-for: KASAN\n';
    expect(mutant(`${HEAD.trim()}\n${needs}\n${DIFF}`)).toMatchObject({
      ...{ guests: ['qemu-amd64'], append: ['a=1', 'b'], strategies: ['dma-buf'] },
      ...{ verdicts: ['fail', 'crash'], slow: true, waitsFor: 'KASAN' },
    });
  });

  test('a diff without one is anybody’s', () => {
    expect(parseMutant('/tmp/mine.diff', DIFF)).toMatchObject({ id: 'mine', killedBy: [], kind: '' });
    expect(mutant().strategies, 'of one that is described').toEqual(['fd-per-buffer']);
    const { strategies, verdicts } = parseMutant('/tmp/mine.diff', DIFF);
    expect([strategies[0], strategies.toSorted()]).toEqual(['fd-per-buffer', strategyNames.toSorted()]);
    expect(verdicts).toEqual(['fail', 'crash']);
    const { guests: tried } = parseMutant('/tmp/mine.diff', DIFF);
    expect(tried[0], 'the first guest').toBe(guests[0].name);
    expect(tried.toSorted(), 'guests').toEqual([...new Set(tried)].toSorted());
    for (const name of tried) expect(guests.map((guest) => guest.name)).toContain(name);
  });

  const wrong: [what: string, text: string, says: RegExp][] = [
    ['no diff at all', 'int main(void)\n', /P99\.diff is no unified diff\nTry: git diff/],
    ['a name that is not its file’s', `${HEAD.replace('P99', 'P98')}${DIFF}`, /begins with "P98/],
    ['nobody to find it', `P99 a: b\n\n${DIFF}`, /does not say which check/],
    ['a check that does not exist', HEAD.replace('BND-04', 'BND-99') + DIFF, /not in the catalogue: BND-99/],
    ['a guest that does not exist', `${HEAD.trim()}\nGuest: vax\n\n${DIFF}`, /nobody knows: vax/],
    [
      'a line that means nothing',
      `${HEAD.trim()}\nColour: red\n\n${DIFF}`,
      /none of Killed-by.*: Colour: red/,
    ],
  ];
  for (const [what, text, says] of wrong) {
    test(`with ${what} is refused`, () => {
      expect(() => mutant(text)).toThrow(says);
    });
  }

  test('of a file that is not there is an error that names it', async () => {
    await expect(mutantFrom('/nowhere/x.diff')).rejects.toThrow(/\/nowhere\/x\.diff cannot be read/);
  });

  test('all of driver/mutants make sense, and every one of the list is there', async () => {
    const mutants = await mutantsIn(folder);
    const numbers = mutants.map(({ id }) => Number(id.slice(1)));
    expect(numbers).toEqual(Array.from({ length: mutants.length }, (_, index) => index + 1));
    expect(mutants.length).toBeGreaterThanOrEqual(44);
    expect(readdirSync(folder)).toHaveLength(mutants.length);
    expect(new Set(mutants.map(({ diff }) => diff.slice(diff.indexOf('--- ')))).size, 'no two alike').toBe(
      mutants.length,
    );
  });
});

test('every diff applies to the driver and the rig as they are', async () => {
  const meta = join(root, 'tests', 'mutation', 'meta');
  const files = [folder, meta].flatMap((each) => readdirSync(each).map((name) => join(each, name)));
  const rejected = await Promise.all(
    files.map(async (input) => {
      const argv = ['patch', '--dry-run', '--strip=1', '--fuzz=0', '--force', '--input', input] as const;
      const { code, stdout } = await run([...argv], { cwd: root });
      return code === 0 ? [] : [`${input}: ${stdout}`];
    }),
  );
  expect(rejected.flat(), 'make them again: the source around what they change has changed').toEqual([]);
});
