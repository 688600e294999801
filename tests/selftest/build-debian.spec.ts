// SPDX-License-Identifier: MIT
/** Where Debian comes from: read from a machine's own sources, third parties left out, errors made plain. */
import { expect, test } from '@playwright/test';
import { aptError } from '../../harness/build/apt-errors.ts';
import { debianRepositories, sourcesFile, withSuite } from '../../harness/build/debian-sources.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

const CONTAINER = {
  name: '/etc/apt/sources.list.d/debian.sources',
  text: `Types: deb
# frozen on the day the image was made
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: ${KEYRING}

Types: deb deb-src
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main contrib
Signed-By: ${KEYRING}
`,
};

const INSTALLED = {
  name: '/etc/apt/sources.list',
  text: `# deb cdrom:[Debian 12]/ bookworm main
deb http://ftp.example/debian/ bookworm main non-free-firmware
deb-src http://ftp.example/debian/ bookworm main
deb [arch=amd64 signed-by=${KEYRING}] https://mirror.example/debian-security bookworm-security main # mine
deb http://ftp.example/debian bookworm-backports main
`,
};

const THIRD_PARTIES = [
  { name: '/etc/apt/sources.list.d/0.list', text: 'deb https://o.example/linux/debian bookworm stable\n' },
  {
    name: '/etc/apt/sources.list.d/a.list',
    text: 'deb [signed-by=/k/vendor.gpg] https://a.example/linux/debian bookworm stable\n',
  },
  {
    name: '/etc/apt/sources.list.d/b.list',
    text: 'deb [signed-by=/k/vendor.gpg] https://b.example/stable/debian bookworm main\n',
  },
  {
    name: '/etc/apt/sources.list.d/c.sources',
    text: 'Types: deb\nURIs: https://c.example/node_20.x\nSuites: nodistro\nComponents: main\nSigned-By: /k/c.gpg\n',
  },
  {
    name: '/etc/apt/sources.list.d/d.sources',
    text: CONTAINER.text.replaceAll('Types:', 'Enabled: no\nTypes:'),
  },
];

test('a container: deb822 files', () => {
  expect(debianRepositories([CONTAINER], 'bookworm')).toEqual([
    {
      uri: 'http://mirror.example/debian',
      suites: ['bookworm', 'bookworm-updates'],
      signedBy: KEYRING,
      trusted: false,
    },
    {
      uri: 'http://mirror.example/debian-security',
      suites: ['bookworm-security'],
      signedBy: KEYRING,
      trusted: false,
    },
  ]);
});

test('an installed machine: one-line sources, some without a keyring of their own', () => {
  expect(debianRepositories([INSTALLED], 'bookworm')).toEqual([
    { uri: 'http://ftp.example/debian/', suites: ['bookworm'], signedBy: '', trusted: false },
    {
      uri: 'https://mirror.example/debian-security',
      suites: ['bookworm-security'],
      signedBy: KEYRING,
      trusted: false,
    },
  ]);
});

test("third parties are left out, also those who imitate a mirror's address", () => {
  const alone = debianRepositories([CONTAINER], 'bookworm');
  expect(debianRepositories([CONTAINER, ...THIRD_PARTIES], 'bookworm')).toEqual(alone);
});

test('a mirror with a list of addresses in a file, and one that signs itself', () => {
  const cloud = {
    name: 'a.sources',
    text: CONTAINER.text
      .replace('http://mirror.example/debian\n', 'mirror+file:/etc/apt/mirrors/debian.list\n')
      .replace(/^Signed-By.*$/gm, ''),
  };
  expect(debianRepositories([cloud], 'bookworm')[0]).toMatchObject({
    uri: 'mirror+file:/etc/apt/mirrors/debian.list',
    signedBy: '',
  });
  const own = { name: 'a.sources', text: CONTAINER.text.replaceAll(KEYRING, '/k/company.gpg') };
  expect(debianRepositories([own], 'bookworm')[0]).toMatchObject({ signedBy: '/k/company.gpg' });
});

test('a key written into the source itself stays whole', () => {
  const key = '\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abcd\n -----END PGP PUBLIC KEY BLOCK-----';
  const inline = { name: 'a.sources', text: CONTAINER.text.replaceAll(` ${KEYRING}`, key) };
  const [first] = debianRepositories([inline], 'bookworm');
  expect(first?.signedBy).toBe(key);
  expect(sourcesFile(first === undefined ? [] : [first])).toContain(`\n`);
});

test('no source of the release is an error that says so', () => {
  expect(() =>
    debianRepositories(
      THIRD_PARTIES.filter(({ text }) => !text.includes('b.example')),
      'bookworm',
    ),
  ).toThrow(/no source for Debian bookworm/);
});

test('other suites come from the same repositories', () => {
  const own = debianRepositories([CONTAINER], 'bookworm');
  expect(withSuite(own, 'bookworm', 'bookworm')).toEqual(own);
  expect(
    withSuite(own, 'bookworm', 'bookworm-backports').map(({ uri, suites }) => ({ uri, suites })),
  ).toEqual([{ uri: 'http://mirror.example/debian', suites: ['bookworm-backports'] }]);
  expect(withSuite(own, 'bookworm', 'trixie').flatMap(({ suites }) => suites)).toEqual([
    'trixie',
    'trixie-updates',
    'trixie-security',
  ]);
});

for (const { said, code } of [
  {
    said: "W: Failed to fetch http://m.example/InRelease  Temporary failure resolving 'm.example'",
    code: 'DEBIAN_NO_NETWORK',
  },
  {
    said: 'E: Failed to fetch http://m.example/a.deb  Could not connect to m.example:80 (127.0.0.1). - connect (111: Connection refused)',
    code: 'DEBIAN_NO_NETWORK',
  },
  { said: 'E: Failed to fetch http://m.example/a.deb  Hash Sum mismatch', code: 'DEBIAN_HASH_MISMATCH' },
  {
    said: 'Err:1 http://m.example bookworm/main arm64 a arm64 1.0\n  404  Not Found [IP: 192.0.2.1 80]\nE: Failed to fetch http://m.example/a.deb  404  Not Found',
    code: 'DEBIAN_ARCHIVE_MOVED',
  },
  {
    said: "W: GPG error: http://m.example bookworm InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 0E98404D386FA1D9",
    code: 'DEBIAN_UNTRUSTED',
  },
  { said: 'E: Unable to locate package linux-image-toaster', code: 'DEBIAN_PACKAGE_MISSING' },
  { said: 'E: Write error - write (28: No space left on device)', code: 'DEBIAN_DISK' },
  { said: 'E: Something nobody has seen', code: 'DEBIAN_APT' },
]) {
  test(`apt's words mean ${code}: ${said.slice(0, 60)}`, () => {
    const error = aptError('downloading a', said);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^downloading a: /);
    expect(error.hint).not.toBe('');
  });
}
