// SPDX-License-Identifier: MIT
/** The layout holds: every import is one that import-rules.ts allows, and every package has one door. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@playwright/test';
import { packageRules, partRules, type PartRule } from './import-rules.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** One import or re-export of a file. */
interface Import {
  file: string;
  line: number;
  /** As written, for example `../errors.ts` or `ssh2`. */
  target: string;
  /** `import type`: gone at run time. */
  typeOnly: boolean;
}

test('every import is allowed by its part', () => {
  expect(breaches(importsOfProject()).join('\n\n')).toBe('');
});

test('every file belongs to a part', () => {
  const homeless = sources().filter((file) => partOf(file) === undefined);
  expect(homeless, 'give them a row in tests/selftest/import-rules.ts').toEqual([]);
});

test('every door of a package exists and imports it', () => {
  const imports = importsOfProject();
  for (const { package: name, doors } of packageRules) {
    for (const door of doors.filter((one) => /\.\w+$/.test(one))) {
      const used = imports.some(({ file, target }) => file === door && packageOf(target) === name);
      expect(used, `${door} is listed as a door of ${name} and does not import it`).toBe(true);
    }
  }
});

test.describe('what is not allowed is noticed, and the message says what to do', () => {
  const cases: [what: string, file: string, source: string, says: string][] = [
    [
      'a judge that imports a target',
      'harness/judge/x.ts',
      "import { openTarget } from '../target/open.ts';",
      'harness/judge may import nothing of ours',
    ],
    [
      'an import over several lines, and a re-export',
      'harness/measure/x.ts',
      "import {\n  a,\n  b,\n} from '../judge/judges.ts';",
      'harness/measure/x.ts:1 imports harness/judge/judges.ts',
    ],
    [
      'a re-export',
      'harness/agent/x.ts',
      "export * from '../target/open.ts';",
      'harness/agent may import harness/errors.ts',
    ],
    [
      'a dynamic import',
      'fixtures/x.ts',
      "const x = await import('../harness/report/summary.ts');",
      'fixtures/x.ts:1 imports harness/report/summary.ts',
    ],
    [
      'a claim that reaches past the fixtures',
      'tests/conformance/x.spec.ts',
      "import { test } from '@playwright/test';",
      'import `test` and `expect` from fixtures/',
    ],
    [
      'a second door',
      'harness/build/x.ts',
      "import { Client } from 'ssh2';",
      'its door is harness/target/ssh/',
    ],
    ['a package nobody listed', 'harness/build/x.ts', "import _ from 'lodash-es';", 'no door for lodash-es'],
    [
      'a reporter at run time',
      'harness/report/x.ts',
      "import { x } from '@playwright/test/reporter';",
      'its door',
    ],
  ];
  for (const [what, file, source, says] of cases) {
    test(what, () => {
      expect(breaches(importsOf(file, source)).join('\n')).toContain(says);
    });
  }

  test('types, the language, and one’s own part are free', () => {
    const source = [
      "import type { Target } from '../target/target.ts';",
      "export type { Finding } from './observation.ts';",
      "import { readFile } from 'node:fs/promises';",
      "import { hex } from './wording.ts';",
      "type Ssh2 = typeof import('ssh2');",
      "// import { x } from '../target/open.ts';",
      " * import { y } from '../target/open.ts';",
    ].join('\n');
    expect(breaches(importsOf('harness/judge/x.ts', source))).toEqual([]);
  });
});

function breaches(imports: readonly Import[]): string[] {
  return imports.flatMap((one) => {
    if (one.typeOnly || one.target.startsWith('node:')) return [];
    const why = one.target.startsWith('.') ? breachOfPart(one) : breachOfPackage(one);
    return why === undefined ? [] : [why];
  });
}

function breachOfPart({ file, line, target }: Import): string | undefined {
  const imported = join(dirname(file), target);
  const rule = partOf(file);
  if (rule === undefined) return undefined;
  if (isWithin(imported, rule.part) || rule.imports.some((part) => isWithin(imported, part)))
    return undefined;
  const allowed = rule.imports.length === 0 ? 'nothing of ours' : rule.imports.join(', ');
  return (
    `${file}:${line} imports ${imported}.\n  ${rule.part} may import ${allowed}: ${rule.because}.\n` +
    '  Move the code to a part that may, pass what is needed in as an argument, or, if only types are ' +
    'used, write `import type`. A new rule goes into tests/selftest/import-rules.ts.'
  );
}

function breachOfPackage({ file, line, target }: Import): string | undefined {
  const name = packageOf(target);
  const rule = packageRules.find((one) => one.package === name);
  if (rule === undefined) {
    return (
      `${file}:${line} imports ${target}.\n  There is no door for ${name}: give it one file that imports ` +
      'it, and name that in tests/selftest/import-rules.ts.'
    );
  }
  if (rule.doors.some((door) => isWithin(file, door))) return undefined;
  return `${file}:${line} imports ${target}; its door is ${rule.doors.join(', ')}.\n  Use instead: ${rule.instead}.`;
}

function partOf(file: string): PartRule | undefined {
  return partRules
    .filter(({ part }) => isWithin(file, part))
    .toSorted((a, b) => b.part.length - a.part.length)[0];
}

function isWithin(file: string, part: string): boolean {
  return file === part || file.startsWith(`${part}/`);
}

/** `@scope/name` of `@scope/name/sub/path`. */
function packageOf(target: string): string {
  return target.split('/', target.startsWith('@') ? 2 : 1).join('/');
}

/** Imports, re-exports and dynamic imports with a literal; lines of comments do not count. */
function importsOf(file: string, source: string): Import[] {
  const statement = /^(?:import|export)\s+(type\s)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
  const dynamic = /^(?!\s*(?:\/\/|\*)).*?(?<!typeof )\b()import\(\s*['"]([^'"]+)['"]/gm;
  return [...source.matchAll(statement), ...source.matchAll(dynamic)].map((match) => ({
    file,
    line: source.slice(0, match.index).split('\n').length,
    target: match[2] ?? '',
    typeOnly: match[1] !== undefined && match[1] !== '',
  }));
}

function importsOfProject(): Import[] {
  return sources().flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')));
}

/** Every source file of the project, data aside. */
function sources(): string[] {
  const inFolders = ['driver', 'fixtures', 'harness', 'tests'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  return [...readdirSync(root), ...inFolders].filter(
    (file) => /\.(ts|mjs|js)$/.test(file) && !file.includes('/data/'),
  );
}
