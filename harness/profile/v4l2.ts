// SPDX-License-Identifier: MIT
/** Buffers of a video device as 64-bit programs see them: include/uapi/linux/videodev2.h. */
import { Layout, type FieldType } from './layout.ts';

export const v4l2Requests = {
  /** _IOWR('V', 5, struct v4l2_format) */
  S_FMT: 0xc0d0_5605,
  /** _IOWR('V', 8, struct v4l2_requestbuffers) */
  REQBUFS: 0xc014_5608,
  /** _IOWR('V', 9, struct v4l2_buffer) */
  QUERYBUF: 0xc058_5609,
  /** _IOWR('V', 16, struct v4l2_exportbuffer) */
  EXPBUF: 0xc040_5610,
  /** _IOWR('V', 39, int) */
  S_INPUT: 0xc004_5627,
  /** _IOWR('V', 92, struct v4l2_create_buffers) */
  CREATE_BUFS: 0xc100_565c,
} as const;

/** enum v4l2_buf_type, v4l2_memory. */
export const VIDEO_CAPTURE = 1;
export const MEMORY_MMAP = 1;
/** v4l2_fourcc('G', 'R', 'E', 'Y'): a byte a pixel. */
export const GREY = 0x5945_5247;

type Word = readonly [name: string, type: FieldType];

/** Room that nobody looks into, of whole words. */
function room(name: string, words: number): Word[] {
  return Array.from({ length: words }, (_, index): Word => [`${name}${index}`, 'u32']);
}

/** struct v4l2_format with a struct v4l2_pix_format in its union of 200 bytes. */
const format: readonly Word[] = [
  ['type', 'u32'],
  ...room('padding', 1),
  ['width', 'u32'],
  ['height', 'u32'],
  ['pixelformat', 'u32'],
  ['field', 'u32'],
  ['bytesperline', 'u32'],
  ['sizeimage', 'u32'],
  ...room('pix', 44),
];

export const pictureFormat = new Layout<readonly Word[]>('v4l2_format', format);

export const createBuffers = new Layout<readonly Word[]>('v4l2_create_buffers', [
  ['index', 'u32'],
  ['count', 'u32'],
  ['memory', 'u32'],
  ...room('gap', 1),
  ...format,
  ['capabilities', 'u32'],
  ...room('reserved', 7),
]);

export const requestBuffers = new Layout<readonly Word[]>('v4l2_requestbuffers', [
  ['count', 'u32'],
  ['type', 'u32'],
  ['memory', 'u32'],
  ...room('reserved', 2),
]);

export const queryBuffer = new Layout<readonly Word[]>('v4l2_buffer', [
  ['index', 'u32'],
  ['type', 'u32'],
  ...room('state', 4),
  ...room('time', 8),
  ['sequence', 'u32'],
  ['memory', 'u32'],
  ['offset', 'u32'],
  ...room('union', 1),
  ['length', 'u32'],
  ...room('reserved', 3),
]);

export const exportBuffer = new Layout<readonly Word[]>('v4l2_exportbuffer', [
  ['type', 'u32'],
  ['index', 'u32'],
  ['plane', 'u32'],
  ['flags', 'u32'],
  ['fd', 's32'],
  ...room('reserved', 11),
]);
