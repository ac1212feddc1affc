/** Capability names and their bit numbers: <linux/capability.h>, capabilities(7). */

/** Bit number by name, CAP_CHOWN (0) to CAP_CHECKPOINT_RESTORE (40, Linux 5.9). */
export const CAPABILITIES = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_DAC_READ_SEARCH: 2,
  CAP_FOWNER: 3,
  CAP_FSETID: 4,
  CAP_KILL: 5,
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_SETPCAP: 8,
  CAP_LINUX_IMMUTABLE: 9,
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_BROADCAST: 11,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_IPC_LOCK: 14,
  CAP_IPC_OWNER: 15,
  CAP_SYS_MODULE: 16,
  CAP_SYS_RAWIO: 17,
  CAP_SYS_CHROOT: 18,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_PACCT: 20,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_BOOT: 22,
  CAP_SYS_NICE: 23,
  CAP_SYS_RESOURCE: 24,
  CAP_SYS_TIME: 25,
  CAP_SYS_TTY_CONFIG: 26,
  CAP_MKNOD: 27,
  CAP_LEASE: 28,
  CAP_AUDIT_WRITE: 29,
  CAP_AUDIT_CONTROL: 30,
  CAP_SETFCAP: 31,
  CAP_MAC_OVERRIDE: 32,
  CAP_MAC_ADMIN: 33,
  CAP_SYSLOG: 34,
  CAP_WAKE_ALARM: 35,
  CAP_BLOCK_SUSPEND: 36,
  CAP_AUDIT_READ: 37,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
  CAP_CHECKPOINT_RESTORE: 40,
} as const

export type CapabilityName = keyof typeof CAPABILITIES

/** Every capability name in bit order. */
export const CAPABILITY_NAMES: readonly CapabilityName[] =
  Object.keys(CAPABILITIES).filter(isCapabilityName)

/** Whether `name` is a capability this table knows, spelled `CAP_...` in upper case as the OCI spec asks. */
export function isCapabilityName(name: string): name is CapabilityName {
  return Object.hasOwn(CAPABILITIES, name)
}

/** The bit of a capability, undefined for a name that Linux does not have. */
export function capabilityBit(name: string): number | undefined {
  return isCapabilityName(name) ? CAPABILITIES[name] : undefined
}

/** The 64-bit mask of a list of names, as capset(2) and /proc/<pid>/status use it; unknown names are left out. */
export function capabilityMask(names: readonly string[]): bigint {
  let mask = 0n
  for (const name of names) {
    const bit = capabilityBit(name)
    if (bit !== undefined) mask |= 1n << BigInt(bit)
  }
  return mask
}
