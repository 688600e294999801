// SPDX-License-Identifier: MIT
/** What apt's words mean: a table of symptoms, each with the one thing that went wrong and what to try. */
import { LabError } from '../errors.ts';

/** The one thing that went wrong, read from what apt printed. */
export function aptError(doing: string, output: string): LabError {
  const lines = output
    .split('\n')
    .filter((line) => /^(E|W|Err):/.test(line) || /^ {2}\S/.test(line))
    .map((line) => line.trim());
  const found = SYMPTOMS.find(({ symptom }) => symptom.test(output)) ?? OTHER;
  const said = [...new Set(lines)].slice(0, 4).join('\n  ');
  return new LabError(found.code, `${doing}: ${found.what}${said === '' ? '' : `\n  ${said}`}`, {
    hint: found.hint,
  });
}

/** Most telling first: with no network at all apt also says that indexes are missing. */
const SYMPTOMS: readonly { symptom: RegExp; code: string; what: string; hint: string }[] = [
  {
    symptom:
      /Temporary failure resolving|Could not resolve|Could not connect|Unable to connect|Connection (failed|timed out|refused)|Network is unreachable|No route to host|Cannot initiate the connection/i,
    code: 'DEBIAN_NO_NETWORK',
    what: "the Debian archive cannot be reached, and this is not in the rig's cache yet",
    hint: 'check the network and the proxy of apt (apt-config dump Acquire), then run it again',
  },
  {
    symptom: /Hash Sum mismatch|unexpected size|Hashes of (received|expected) file/i,
    code: 'DEBIAN_HASH_MISMATCH',
    what: 'what arrived is not what the signed index promised',
    hint: 'a mirror in the middle of an update, or a proxy that changes files: run it again in some minutes',
  },
  {
    symptom: /\b404\b|\b410 +Gone/,
    code: 'DEBIAN_ARCHIVE_MOVED',
    what: 'the archive no longer has a version that the index names',
    hint: 'npx bufrig update',
  },
  {
    symptom: /NO_PUBKEY|is not signed|EXPKEYSIG|public key is not available|couldn't be verified/i,
    code: 'DEBIAN_UNTRUSTED',
    what: "the archive's signature cannot be checked with this machine's keys",
    hint: 'install or update debian-archive-keyring',
  },
  {
    symptom:
      /Unable to locate package|No packages found|has no installation candidate|Can't find a source|Can't select candidate version|was not found/i,
    code: 'DEBIAN_PACKAGE_MISSING',
    what: 'the archive has no such package',
    hint: 'npx bufrig update; if it stays, the suite or the flavour does not exist for this architecture',
  },
  {
    symptom: /No space left on device/i,
    code: 'DEBIAN_DISK',
    what: 'the disk is full',
    hint: 'make room where the cache is; a guest needs about 1 GB',
  },
];

const OTHER = { code: 'DEBIAN_APT', what: 'apt failed', hint: 'read its words above; npx bufrig doctor' };
