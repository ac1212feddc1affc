/** The five capability sets (capabilities(7), capset(2), prctl(2)). */
import { CAPABILITIES, capabilityMask } from '../../linux/capabilities.ts'
import type { Capabilities } from '../../oci/runtime-config.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { ProcessContext } from './create-context.ts'

const PR_CAPBSET_DROP = 24
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_RAISE = 2
const PR_CAP_AMBIENT_CLEAR_ALL = 4
const LINUX_CAPABILITY_VERSION_3 = 0x20080522
const SYS_ADMIN = 1n << BigInt(CAPABILITIES.CAP_SYS_ADMIN)

/**
 * What the kernel does not know, and what we do not have to give, is left out, with a warning elsewhere
 * (config.md "Linux Process"). In a user namespace everybody starts with all capabilities.
 */
function mask(c: ProcessContext, names: readonly string[] | undefined): bigint {
  const { lastCapability, withheldCapabilities } = c.options.features
  const known = (1n << BigInt(lastCapability + 1)) - 1n
  const withheld = c.inUserNamespace ? 0n : capabilityMask(withheldCapabilities)
  return capabilityMask(names ?? []) & known & ~withheld
}

// A config without capabilities means none, as to runc and crun; what it does not list, nobody has.
function setsOf(c: ProcessContext): Capabilities {
  return c.process.capabilities ?? {}
}

/** Drops what is not in the bounding set; needs CAP_SETPCAP, so it comes before the user changes. */
export function emitBoundingSet(c: ProcessContext): void {
  const kept = mask(c, setsOf(c).bounding)
  c.b.at('/process/capabilities/bounding', () => {
    for (let bit = 0; bit <= c.options.features.lastCapability; bit++) {
      if ((kept & (1n << BigInt(bit))) === 0n) c.b.run('prctl', [PR_CAPBSET_DROP, bit, 0, 0, 0])
    }
  })
}

/**
 * Sets permitted, effective and inheritable, then ambient. With `keepSysAdmin`, CAP_SYS_ADMIN stays
 * permitted, but not effective, until {@link emitFinalCapabilities}: seccomp(2) without
 * no_new_privs needs it at the very end.
 */
export function emitCapabilities(c: ProcessContext, keepSysAdmin: boolean): void {
  const sets = setsOf(c)
  emitCapset(c, sets, keepSysAdmin ? SYS_ADMIN : 0n, 0n)
  emitAmbient(c, sets)
}

/** Raises the kept CAP_SYS_ADMIN for seccomp(2). */
export function emitRaiseSysAdmin(c: ProcessContext): void {
  emitCapset(c, setsOf(c), SYS_ADMIN, SYS_ADMIN)
}

/** The sets of the config, exactly. */
export function emitFinalCapabilities(c: ProcessContext): void {
  emitCapset(c, setsOf(c), 0n, 0n)
}

function emitCapset(
  c: ProcessContext,
  sets: Capabilities,
  extraPermitted: bigint,
  extraEffective: bigint,
): void {
  const effective = mask(c, sets.effective) | extraEffective
  const permitted = mask(c, sets.permitted) | extraPermitted
  const inheritable = mask(c, sets.inheritable)
  c.b.at('/process/capabilities', () => {
    const header = c.b.words([LINUX_CAPABILITY_VERSION_3])
    c.b.run('capset', [header, capabilityData(c.b, effective, permitted, inheritable)])
  })
}

// struct __user_cap_data_struct[2]: effective, permitted, inheritable, low words first.
function capabilityData(b: PlanBuilder, effective: bigint, permitted: bigint, inheritable: bigint) {
  const data = Buffer.alloc(24)
  ;[effective, permitted, inheritable].forEach((set, i) => {
    data.writeUInt32LE(Number(set & 0xffffffffn), i * 4)
    data.writeUInt32LE(Number(set >> 32n), 12 + i * 4)
  })
  return b.bytes(data)
}

function emitAmbient(c: ProcessContext, sets: Capabilities): void {
  const ambient = mask(c, sets.ambient)
  c.b.at('/process/capabilities/ambient', () => {
    c.b.run('prctl', [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0], { tolerate: ['EINVAL'] })
    for (let bit = 0; bit <= c.options.features.lastCapability; bit++) {
      if ((ambient & (1n << BigInt(bit))) !== 0n) {
        // Only a capability that is permitted and inheritable can be raised; runc skips others too.
        c.b.run('prctl', [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0], { tolerate: ['EPERM'] })
      }
    }
  })
}
