// SPDX-License-Identifier: MIT
/**
 * From what the witnesses saw to where the buffer is. Everything that is judged about a buffer's
 * geometry starts here, because a judgement is worth no more than the agreement of its witnesses:
 * each must have seen every page exactly once, enough of them must have spoken, and they must agree.
 */
import type { Finding, Placement, Sighting } from './observation.ts';
import { driverFinding, hex, isPositive, labFinding, pageSet } from './wording.ts';

/** The buffer's place when the evidence suffices, otherwise what is wrong with the evidence. */
export type Resolution =
  /** `pages[i]` is the physical address of page i. */
  { pages: number[]; findings?: never } | { pages?: never; findings: Finding[] };

/** How many independent witnesses a geometry verdict rests on where two are to be had. */
export const usualWitnesses = 2;

/**
 * Where the buffer lies, if the witnesses say so with one voice.
 * @param required how many different witnesses must have spoken; 1 only on a target that has no second
 */
export function resolvePlacement(placement: Placement, required = usualWitnesses): Resolution {
  const findings = [...malformed(placement)];
  if (findings.length > 0) return { findings };

  // What the CPU reads back comes first: a frame mapped twice loses a signature, so the witnesses
  // then miss a page through no fault of theirs.
  findings.push(...lostSignatures(placement));
  if (findings.length > 0) return { findings };

  findings.push(...tooFewWitnesses(placement, required));
  for (const sighting of placement.sightings) findings.push(...unclearSighting(placement, sighting));
  if (findings.length > 0) return { findings };

  findings.push(...disagreements(placement));
  if (findings.length > 0) return { findings };
  return { pages: pagesOf(placement.sightings[0]) };
}

/** Findings about the evidence alone; none when the witnesses say with one voice where the buffer is. */
export function judgePlacement(placement: Placement, required = usualWitnesses): Finding[] {
  return resolvePlacement(placement, required).findings ?? [];
}

function pagesOf(sighting: Sighting | undefined): number[] {
  return (sighting?.pages ?? []).map(([first]) => first ?? Number.NaN);
}

function pageCountOf(placement: Placement): number {
  return Math.ceil(placement.bytes / placement.pageBytes);
}

function malformed({ label, bytes, pageBytes, sightings }: Placement): Finding[] {
  if (isPositive(bytes) && isPositive(pageBytes) && Array.isArray(sightings)) return [];
  const what = `length ${bytes}, page size ${pageBytes}, ${sightings?.length ?? 'no'} witnesses`;
  return [labFinding('evidence', `${label}: the observation is incomplete (${what})`)];
}

function lostSignatures(placement: Placement): Finding[] {
  const { label, readback } = placement;
  if (readback === undefined) return [];
  const count = pageCountOf(placement);
  if (readback.length !== count) {
    return [labFinding('evidence', `${label}: ${readback.length} of ${count} pages were read back`)];
  }
  const wrong = [...readback.keys()].filter((page) => readback[page] !== page);
  const [first] = wrong;
  if (first === undefined) return [];
  const shows = readback[first] ?? null;
  const what = shows === null ? 'nothing that was written' : `what was written to page ${shows}`;
  return [
    driverFinding(
      'one-frame-per-page',
      `${label}: after every page was signed, ${pageSet(wrong, count)} did not show its own signature\n` +
        `first: page ${first} shows ${what}` +
        (shows === null ? '' : ', as if both were the same page frame'),
    ),
  ];
}

function tooFewWitnesses({ label, sightings }: Placement, required: number): Finding[] {
  const names = new Set(sightings.map(({ witness }) => witness));
  const needed = Math.max(1, required);
  if (names.size >= needed) return [];
  const spoke = names.size === 0 ? 'none spoke' : `only ${[...names].join(', ')} spoke`;
  return [labFinding('witnesses', `${label}: ${needed} independent witnesses are needed, ${spoke}`)];
}

function unclearSighting(placement: Placement, { witness, pages }: Sighting): Finding[] {
  const { label, pageBytes } = placement;
  const count = pageCountOf(placement);
  const lab = (rule: string, message: string) => labFinding(rule, `${label}: witness ${witness} ${message}`);
  if (pages.length !== count) {
    return [lab('evidence', `accounts for ${pages.length} pages, the mapping has ${count}`)];
  }
  const where = (page: number) => pages[page] ?? [];
  const findings: Finding[] = [];
  const indices = [...pages.keys()];

  const missing = indices.filter((page) => where(page).length === 0);
  if (missing.length > 0) findings.push(lab('page-not-found', `did not find ${pageSet(missing, count)}`));

  const [copied, ...moreCopied] = indices.filter((page) => where(page).length > 1);
  if (copied !== undefined) {
    const copies = where(copied).map(hex).join(', ');
    const set = pageSet([copied, ...moreCopied], count);
    findings.push(lab('page-copied', `saw ${set} in several places\nfirst: page ${copied} at ${copies}`));
  }

  const impossible = indices.find((page) => where(page).some((at) => !isPageAddress(at, pageBytes)));
  if (impossible !== undefined) {
    const at = where(impossible).map(hex).join(', ');
    findings.push(
      lab('evidence', `puts page ${impossible} at ${at}, where no page of ${pageBytes} bytes can start`),
    );
  }

  const owners = new Map<number, number>();
  for (const page of indices) {
    for (const at of where(page)) {
      const other = owners.get(at);
      if (other !== undefined && other !== page) {
        findings.push(lab('evidence', `contradicts itself: pages ${other} and ${page} both at ${hex(at)}`));
        return findings;
      }
      owners.set(at, page);
    }
  }
  return findings;
}

function isPageAddress(address: number, pageBytes: number): boolean {
  return Number.isSafeInteger(address) && address >= 0 && address % pageBytes === 0;
}

function disagreements({ label, sightings }: Placement): Finding[] {
  const [reference, ...others] = sightings;
  if (reference === undefined) return [];
  const findings: Finding[] = [];
  const expected = pagesOf(reference);
  for (const other of others) {
    const seen = pagesOf(other);
    const differing = [...expected.keys()].filter((page) => expected[page] !== seen[page]);
    const [first] = differing;
    if (first === undefined) continue;
    findings.push(
      labFinding(
        'witnesses-agree',
        `${label}: witnesses ${reference.witness} and ${other.witness} disagree about ` +
          `${pageSet(differing, expected.length)}\nfirst: page ${first} at ${hex(expected[first] ?? NaN)} ` +
          `says ${reference.witness}, at ${hex(seen[first] ?? NaN)} says ${other.witness}`,
      ),
    );
  }
  return findings;
}
