// SPDX-License-Identifier: MIT
/** Dumb buffers, as every DRM driver with a display has them: include/uapi/drm/drm_mode.h, drm.h. */
import { Layout } from './layout.ts';

export const drmRequests = {
  /** _IOWR('d', 0x2d, struct drm_prime_handle) */
  PRIME_HANDLE_TO_FD: 0xc00c_642d,
  /** _IOWR('d', 0x2e, struct drm_prime_handle) */
  PRIME_FD_TO_HANDLE: 0xc00c_642e,
  /** _IOWR('d', 0xb2, struct drm_mode_create_dumb) */
  CREATE_DUMB: 0xc020_64b2,
  /** _IOWR('d', 0xb3, struct drm_mode_map_dumb) */
  MAP_DUMB: 0xc010_64b3,
  /** _IOWR('d', 0xb4, struct drm_mode_destroy_dumb) */
  DESTROY_DUMB: 0xc004_64b4,
} as const;

export const createDumb = new Layout('drm_mode_create_dumb', [
  ['height', 'u32'],
  ['width', 'u32'],
  ['bpp', 'u32'],
  ['flags', 'u32'],
  ['handle', 'u32'],
  ['pitch', 'u32'],
  ['size', 'u64'],
]);

export const mapDumb = new Layout('drm_mode_map_dumb', [
  ['handle', 'u32'],
  ['pad', 'u32'],
  ['offset', 'u64'],
]);

export const destroyDumb = new Layout('drm_mode_destroy_dumb', [['handle', 'u32']]);

export const primeHandle = new Layout('drm_prime_handle', [
  ['handle', 'u32'],
  ['flags', 'u32'],
  ['fd', 's32'],
]);
