/** Which capabilities a container has: docker's fourteen, changed by --cap-add and --cap-drop. */
import { CAPABILITY_NAMES, isCapabilityName } from '../linux/capabilities.ts'
import type { Capabilities } from '../oci/runtime-config.ts'
import { refuseOption } from './invalid-option.ts'

/** What docker and podman (without three of them) give a container that asks for nothing. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
]

const ALL = 'ALL'

export interface CapabilityQuestion {
  readonly add: readonly string[]
  readonly drop: readonly string[]
  readonly privileged: boolean
  /** What tsrun itself may give. */
  readonly available: readonly string[]
}

/**
 * Names in bit order. As docker: `--cap-add ALL` starts from all and takes away what is dropped by
 * name, `--cap-drop ALL` starts from nothing; a privileged container has all whatever is dropped.
 */
export function chooseCapabilities(question: CapabilityQuestion): readonly string[] {
  const add = question.add.map((name) => normalizeCapability(name, 'cap-add'))
  const drop = question.drop.map((name) => normalizeCapability(name, 'cap-drop'))
  const available = new Set(question.available)
  const missing = add.find((name) => name !== ALL && !available.has(name))
  if (missing !== undefined)
    refuseOption('cap-add', missing, 'tsrun itself does not have it on this host')
  const chosen = new Set(chooseFrom(question, add, drop))
  return CAPABILITY_NAMES.filter((name) => chosen.has(name) && available.has(name))
}

/**
 * The five sets of the process. A user other than root gets the bounding set alone: execve(2) would
 * clear the others. Inheritable and ambient stay empty (CVE-2022-29162).
 */
export function capabilitySets(names: readonly string[], uid: number): Capabilities {
  return uid === 0 ? { bounding: names, effective: names, permitted: names } : { bounding: names }
}

function chooseFrom(
  question: CapabilityQuestion,
  add: readonly string[],
  drop: readonly string[],
): readonly string[] {
  if (question.privileged) return CAPABILITY_NAMES
  if (add.includes(ALL)) return CAPABILITY_NAMES.filter((name) => !drop.includes(name))
  if (drop.includes(ALL)) return add
  return [...DEFAULT_CAPABILITIES.filter((name) => !drop.includes(name)), ...add]
}

/** `net_admin`, `NET_ADMIN` and `CAP_NET_ADMIN` are one. */
function normalizeCapability(text: string, option: string): string {
  const upper = text.toUpperCase()
  if (upper === ALL || upper === 'CAP_ALL') return ALL
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`
  return isCapabilityName(name)
    ? name
    : refuseOption(option, text, 'it is not a capability of Linux')
}
