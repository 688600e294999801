// SPDX-License-Identifier: MIT
/** What is particular about one SSH server. */

/**
 * Does this server break the whole connection when a process ends while a channel is being opened?
 * dropbear 2022.82 to 2024.85 close a channel that has no process yet as soon as any process of the
 * connection ends, and then fail an assertion in common-channel.c when the channel's own comes
 * (dropbear issue 321, fixed in 2024.86). Debian 12 has 2022.83.
 * @param banner the server's identification line
 */
export function breaksOnConcurrentEnd(banner: string): boolean {
  const version = /^SSH-[\d.]+-dropbear_(\d{4})\.(\d+)/.exec(banner);
  if (version === null) return false;
  const release = Number(version[1]) * 1000 + Number(version[2]);
  return release >= 2_022_082 && release <= 2_024_085;
}
