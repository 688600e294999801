// SPDX-License-Identifier: MIT
/**
 * Where this machine gets Debian from, read from its own apt configuration: the rig uses the same
 * mirrors and keyrings and names none itself. Other suites are taken from the same repositories.
 * Formats: sources.list(5), both the one-line and the deb822 style.
 */
import { LabError } from '../errors.ts';

/** One repository, with the suites wanted from it. */
export interface Repository {
  uri: string;
  suites: string[];
  /** Keyring files, a key, or empty: then the keys that apt trusts on this machine. */
  signedBy: string;
  /** apt takes it without a signature. */
  trusted: boolean;
}

interface Source extends Repository {
  components: string[];
}

/**
 * The repositories of Debian's own release in a set of source files, third parties left out. A
 * repository counts as Debian's when it is signed by the archive's keyring, or its address ends like
 * a mirror's and nothing else is said; a mirror signed with a key of its own counts if there is no other.
 * @param files name and text of sources.list and of the files in sources.list.d
 * @param codename VERSION_CODENAME of this machine, for example `bookworm`
 * @throws LabError `DEBIAN_SOURCES` when there is none
 */
export function debianRepositories(
  files: readonly { name: string; text: string }[],
  codename: string,
): Repository[] {
  const sources = files
    .flatMap(({ name, text }) => (name.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text)))
    .filter((source) => source.components.includes('main'))
    .map((source) => ({
      ...source,
      suites: source.suites.filter((suite) => isReleaseSuite(suite, codename)),
    }))
    .filter((source) => source.suites.length > 0);
  const sure = sources.filter(({ signedBy, uri }) =>
    signedBy === '' ? looksLikeMirror(uri) : /debian-archive|debian-.*-(automatic|stable)/.test(signedBy),
  );
  const found = sure.length > 0 ? sure : sources.filter(({ uri }) => looksLikeMirror(uri));
  if (!found.some(({ suites }) => suites.includes(codename))) {
    throw new LabError('DEBIAN_SOURCES', `apt on this machine has no source for Debian ${codename} main`, {
      hint: `add one to /etc/apt/sources.list.d; see sources.list(5)`,
    });
  }
  return found.map(({ uri, suites, signedBy, trusted }) => ({ uri, suites, signedBy, trusted }));
}

/**
 * The same repositories for another suite: `bookworm-backports` comes from the one that has the
 * release itself; a release such as `trixie` brings its updates and security suites where this
 * machine has them for its own.
 */
export function withSuite(
  repositories: readonly Repository[],
  codename: string,
  suite: string,
): Repository[] {
  if (suite === codename) return [...repositories];
  const isRelease = !suite.includes('-');
  return repositories
    .map((repository) => ({
      ...repository,
      suites: isRelease
        ? repository.suites.map((own) => own.replace(codename, suite))
        : repository.suites.includes(codename)
          ? [suite]
          : [],
    }))
    .filter(({ suites }) => suites.length > 0);
}

/** The repositories as a deb822 file for apt that asks for package indexes and nothing else. */
export function sourcesFile(repositories: readonly Repository[]): string {
  return repositories
    .map(({ uri, suites, signedBy, trusted }) =>
      [
        'Types: deb',
        `URIs: ${uri}`,
        `Suites: ${suites.join(' ')}`,
        'Components: main',
        'Targets: Packages',
        ...(signedBy === '' ? [] : [`Signed-By: ${signedBy}`]),
        ...(trusted ? ['Trusted: yes'] : []),
        '',
      ].join('\n'),
    )
    .join('\n');
}

function isReleaseSuite(suite: string, codename: string): boolean {
  return suite === codename || suite === `${codename}-updates` || suite === `${codename}-security`;
}

/** `http://mirror/debian/`, `http://mirror/debian-security`, `mirror+file:/etc/apt/mirrors/debian.list`. */
function looksLikeMirror(uri: string): boolean {
  return /\/debian(-security)?(\.list)?\/?$/.test(uri);
}

function parseDeb822(text: string): Source[] {
  const stanzas = text.split(/\n\s*\n/).map(parseStanza);
  return stanzas
    .filter((fields) => words(fields.get('types')).includes('deb') && fields.get('enabled') !== 'no')
    .flatMap((fields) =>
      words(fields.get('uris')).map((uri) => ({
        uri,
        suites: words(fields.get('suites')),
        components: words(fields.get('components')),
        signedBy: fields.get('signed-by') ?? '',
        trusted: fields.get('trusted') === 'yes',
      })),
    );
}

/** The fields of one stanza, names in lower case; continuation lines stay as they are, comments go. */
export function parseStanza(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  let last = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    if (/^\s/.test(line)) {
      fields.set(last, `${fields.get(last) ?? ''}\n${line}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    last = line.slice(0, colon).toLowerCase();
    fields.set(last, line.slice(colon + 1).trim());
  }
  return fields;
}

function parseOneLine(text: string): Source[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[(?<options>[^\]]*)\]\s+)?(?<uri>\S+)\s+(?<suite>\S+)\s*(?<rest>[^#]*)/.exec(
      line,
    );
    if (match?.groups === undefined) return [];
    const { options = '', uri = '', suite = '', rest = '' } = match.groups;
    const setting = (name: string): string =>
      words(options)
        .find((option) => option.startsWith(`${name}=`))
        ?.slice(name.length + 1) ?? '';
    return [
      {
        uri,
        suites: [suite],
        components: words(rest),
        signedBy: setting('signed-by').replaceAll(',', ' '),
        trusted: setting('trusted') === 'yes',
      },
    ];
  });
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}
