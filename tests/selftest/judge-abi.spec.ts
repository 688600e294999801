// SPDX-License-Identifier: MIT
/** The judges of ioctls, counters and addresses on saved observations, good ones and bad ones. */
import { expect, test } from '@playwright/test';
import { judgeAnswers, judgeBalance, judgeDisclosure, judgeRanges } from '../../harness/judge/judges.ts';
import type { Answer, Disclosure, Finding, RangeAttempt } from '../../harness/judge/observation.ts';
import { argumentOf, layoutProgram, mutatedArguments, undefinedBits } from '../../harness/profile/ioctls.ts';
import { profiles } from '../../harness/profile/profiles.ts';

const blamed = (findings: readonly Finding[]) => findings.map(({ blame, rule }) => `${blame}: ${rule}`);

test.describe('counters', () => {
  const before = { descriptors: 9, buffers: 2 };
  test('that are as they were balance', () => {
    expect(judgeBalance({ what: 'a call', before, after: { ...before } })).toEqual([]);
  });
  test('that went up or down do not', () => {
    const findings = judgeBalance({ what: 'a call', before, after: { descriptors: 10, buffers: 1 } });
    expect(blamed(findings)).toEqual(['driver: balance', 'driver: balance']);
    expect(findings[0]?.message).toBe('a call: descriptors went from 9 to 10');
  });
  test('that were not read are the lab’s', () => {
    expect(blamed(judgeBalance({ what: 'a call', before, after: { descriptors: 9 } }))).toEqual([
      'lab: evidence',
    ]);
    expect(
      blamed(judgeBalance({ what: 'a call', before: { a: Number.NaN }, after: { a: Number.NaN } })),
    ).toEqual(['lab: evidence']);
    expect(blamed(judgeBalance({ what: 'a call', before: {}, after: {} }))).toEqual(['lab: evidence']);
  });
});

test.describe('what an ioctl gives back', () => {
  test('are results, and nothing else', () => {
    expect(judgeAnswers([answer('cc', '0100'), answer('33', '0200')])).toEqual([]);
  });
  test('a result that happens to be a filler once is one', () => {
    expect(judgeAnswers([answer('cc', 'cccc'), answer('33', 'cccc')])).toEqual([]);
  });
  test('a result that was never written is missing', () => {
    expect(blamed(judgeAnswers([answer('cc', 'cccc'), answer('33', '3333')]))).toContain('driver: written');
  });
  test('bytes that come along are told', () => {
    expect(blamed(judgeAnswers([answer('cc', '0100', 'be00'), answer('33', '0100')]))).toEqual([
      'driver: left-alone',
    ]);
  });
  test('one filler tells nothing', () => {
    expect(blamed(judgeAnswers([answer('cc', '0100'), answer('cc', '0100')]))).toEqual(['lab: evidence']);
    expect(blamed(judgeAnswers([]))).toEqual(['lab: evidence']);
  });
});

test.describe('texts that everybody may read', () => {
  for (const text of ['buffers 3\nbytes 12288', 'ffff58000000 0x580000001', '1476395007', '']) {
    test(`${JSON.stringify(text)} tells no address`, () => {
      expect(judgeDisclosure(seen(text))).toEqual([]);
    });
  }
  for (const text of [
    '0x58000000',
    '0x0000000058000000',
    '58000000-58001000',
    '1476395008',
    'frame 0x58000',
    '360448',
  ]) {
    test(`${JSON.stringify(text)} tells one`, () => {
      expect(blamed(judgeDisclosure(seen(text)))).toEqual(['driver: disclosure']);
    });
  }
  test('nothing to look at, or to look for, is no evidence', () => {
    expect(blamed(judgeDisclosure({ ...seen(''), texts: [] }))).toEqual(['lab: evidence']);
    expect(blamed(judgeDisclosure({ ...seen(''), addresses: [] }))).toEqual(['lab: evidence']);
  });
});

test.describe('ranges', () => {
  const good = [at(0n, 8192n), at(8191n, 1n), at(8192n, 1n, 'EINVAL'), at(0n, 0n, 'EINVAL')];
  test('inside are accepted and outside refused', () => {
    expect(judgeRanges(good, ['EINVAL'])).toEqual([]);
    expect(judgeRanges([at(8191n, undefined), at(8192n, undefined, 'EINVAL')], ['EINVAL'])).toEqual([]);
  });
  test('whose sum wraps are outside', () => {
    expect(blamed(judgeRanges([...good, at(2n ** 64n - 4096n, 8192n)], ['EINVAL']))).toEqual([
      'driver: must-fail',
    ]);
  });
  test('inside that are refused, and outside with another error, are wrong', () => {
    expect(blamed(judgeRanges([...good, at(1n, 1n, 'EINVAL')], ['EINVAL']))).toEqual([
      'driver: must-succeed',
    ]);
    expect(blamed(judgeRanges([...good, at(8192n, 1n, 'EIO')], ['EINVAL']))).toEqual(['driver: errno']);
  });
  test('of one kind only are no evidence', () => {
    expect(blamed(judgeRanges([at(0n, 1n)], ['EINVAL']))).toEqual(['lab: evidence']);
    expect(blamed(judgeRanges([], ['EINVAL']))).toEqual(['lab: evidence']);
  });
});

test.describe('the description of an ABI', () => {
  const abi = profiles.contigbuf.ioctls;
  test('gives every field a role', () => {
    expect(abi?.calls.length).toBeGreaterThan(0);
    for (const { layout, roles } of abi?.calls ?? []) {
      expect(Object.keys(roles).toSorted(), layout.name).toEqual(
        layout
          .places()
          .map(({ name }) => name)
          .toSorted(),
      );
    }
  });
  test('knows the bits without a meaning', () => {
    expect(undefinedBits('u32', 0b101)).toHaveLength(30);
    expect(undefinedBits('u64', 0)).toHaveLength(64);
    expect(undefinedBits('u32', 0xffff_fffe)).toEqual([1n]);
  });
  test('makes the same arguments of one seed, and others of another', () => {
    const call = abi?.calls[1];
    if (abi === undefined || call === undefined) return;
    const good = argumentOf(abi, call, { fd: 0, values: {}, end: () => Promise.resolve() });
    const made = (seed: number) =>
      mutatedArguments(call, good, seed, 50).map((bytes) => bytes.toString('hex'));
    expect(made(7)).toEqual(made(7));
    expect(made(7)).not.toEqual(made(8));
    expect(new Set(made(7)).size).toBeGreaterThan(40);
    for (const bytes of made(7)) expect(bytes).toHaveLength(good.length * 2);
  });
  test('is a program that prints what it expects', () => {
    if (abi === undefined) return;
    const { program, expected } = layoutProgram(abi, abi.header ?? '');
    expect(program).toContain('#include <contigbuf.h>');
    expect(expected).toContain('struct contigbuf_alloc reserved 56 8');
  });
});

function answer(filler: string, id: string, reserved = '0000'): Answer {
  return {
    call: 'INFO',
    filler,
    fields: {
      size: { role: 'in', before: '4000', after: '4000' },
      id: { role: 'out', before: filler.repeat(2), after: id },
      reserved: { role: 'reserved', before: '0000', after: reserved },
      name: { role: 'in-out', before: '0000', after: '0700' },
    },
  };
}

function seen(text: string): Disclosure {
  return { addresses: [0x5800_0000], pageBytes: 4096, texts: [{ source: 'a file', text }] };
}

function at(offset: bigint, length: bigint | undefined, errno?: string): RangeAttempt {
  return {
    call: `${offset} and ${length ?? 1n} bytes`,
    bufferBytes: 8192,
    offset: String(offset),
    ...(length === undefined ? {} : { length: String(length) }),
    outcome: errno === undefined ? { kind: 'success', value: 0 } : { kind: 'error', errno },
  };
}
