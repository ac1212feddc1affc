/** --security-opt: seccomp, no-new-privileges, AppArmor, labels, and which paths of /proc and /sys are hidden. */
import { posix } from 'node:path'
import { refuseNul, refuseOption, refuseUnsupported } from './invalid-option.ts'

export type SeccompChoice =
  | { readonly kind: 'default' }
  | { readonly kind: 'unconfined' }
  | { readonly kind: 'file'; readonly path: string }

export interface SecurityOptions {
  /** `default`, `unconfined`, or the path of a profile as the user gave it. */
  readonly seccomp: SeccompChoice
  readonly noNewPrivileges: boolean
  readonly apparmor: string | undefined
  readonly writableCgroups: boolean
  /** Options of the container's /proc: `hidepid=2`. */
  readonly procOptions: readonly string[]
  /** Labels for SELinux as given: without it they mean nothing. */
  readonly labels: readonly string[]
  /** Paths to hide beside the default ones. */
  readonly mask: readonly string[]
  /** Paths not to hide and not to protect; `all` from systempaths=unconfined or unmask=ALL. */
  readonly unmask: readonly string[] | 'all'
}

/** What docker hides: facts about the host, and files whose content leaks power use or interrupts. */
const MASKED_PATHS: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
]

const READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
]

interface Draft {
  seccomp: SeccompChoice
  noNewPrivileges: boolean
  apparmor: string | undefined
  writableCgroups: boolean
  procOptions: string[]
  labels: string[]
  mask: string[]
  unmask: string[] | 'all'
}

/** Reads the options in order; later ones win. */
export function parseSecurityOptions(
  texts: readonly string[],
  privileged: boolean,
): SecurityOptions {
  const draft: Draft = {
    seccomp: { kind: privileged ? 'unconfined' : 'default' },
    noNewPrivileges: false,
    apparmor: privileged ? 'unconfined' : undefined,
    writableCgroups: false,
    procOptions: [],
    labels: [],
    mask: [],
    unmask: privileged ? 'all' : [],
  }
  for (const text of texts) {
    refuseNul('security-opt', text)
    // docker once wrote key:value and still takes it.
    const separator = /[=:]/.exec(text)?.index
    const key = separator === undefined ? text : text.slice(0, separator)
    applyOption(draft, text, key, separator === undefined ? undefined : text.slice(separator + 1))
  }
  return draft
}

/** `linux.maskedPaths` and `linux.readonlyPaths` for the options. */
export function hiddenPaths(security: SecurityOptions): {
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
} {
  const { unmask } = security
  const keep = (path: string): boolean =>
    unmask !== 'all' && !unmask.some((pattern) => covers(pattern, path))
  return {
    maskedPaths: [...MASKED_PATHS.filter(keep), ...security.mask],
    readonlyPaths: READONLY_PATHS.filter(keep),
  }
}

function applyOption(draft: Draft, text: string, key: string, value: string | undefined): void {
  switch (key) {
    case 'no-new-privileges':
      draft.noNewPrivileges = flagOf(text, value)
      break
    case 'writable-cgroups':
      draft.writableCgroups = flagOf(text, value)
      break
    case 'seccomp':
      draft.seccomp = seccompOf(needed(text, value))
      break
    case 'apparmor':
      draft.apparmor = needed(text, value)
      break
    case 'label':
      if (!/^(?:disable|nested|(?:user|role|type|level|filetype):.+)$/s.test(needed(text, value)))
        refuseOption('security-opt', text, 'it is no label: user:, role:, type:, level: or disable')
      draft.labels.push(needed(text, value))
      break
    case 'systempaths':
      if (value !== 'unconfined')
        refuseOption('security-opt', text, 'systempaths can only be unconfined')
      draft.unmask = 'all'
      break
    case 'mask':
      draft.mask.push(...pathsOf(text, needed(text, value)))
      break
    case 'unmask':
      addUnmasked(draft, text, needed(text, value))
      break
    case 'proc-opts':
      draft.procOptions.push(...procOptionsOf(text, needed(text, value)))
      break
    case 'credentialspec':
      refuseUnsupported('security-opt', text, key)
      break
    default:
      refuseOption('security-opt', text, `${JSON.stringify(key)} is not a security option`)
  }
}

/** proc(5). */
function procOptionsOf(text: string, value: string): readonly string[] {
  return value.split(',').map((option) => {
    if (
      /^(?:hidepid=(?:[0124]|off|noaccess|invisible|ptraceable)|gid=\d{1,10}|subset=pid)$/.test(
        option,
      )
    )
      return option
    return refuseOption('security-opt', text, `${JSON.stringify(option)} is not an option of proc`)
  })
}

function seccompOf(value: string): SeccompChoice {
  if (value === 'unconfined') return { kind: 'unconfined' }
  return value === 'builtin' || value === 'default'
    ? { kind: 'default' }
    : { kind: 'file', path: value }
}

function addUnmasked(draft: Draft, text: string, value: string): void {
  if (value.toUpperCase() === 'ALL') draft.unmask = 'all'
  else if (draft.unmask !== 'all') draft.unmask.push(...pathsOf(text, value))
}

function pathsOf(text: string, value: string): readonly string[] {
  return value.split(':').map((path) => {
    if (!path.startsWith('/'))
      refuseOption('security-opt', text, `${JSON.stringify(path)} must be an absolute path`)
    return posix.normalize(path)
  })
}

/** podman's unmask takes shell patterns: `/proc/*`. */
function covers(pattern: string, path: string): boolean {
  if (!pattern.includes('*')) return pattern === path
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^/]*')
  return new RegExp(`^${source}$`).test(path)
}

function flagOf(text: string, value: string | undefined): boolean {
  if (value === undefined || value === 'true') return true
  return value === 'false' ? false : refuseOption('security-opt', text, 'it must be true or false')
}

function needed(text: string, value: string | undefined): string {
  return value === undefined || value === ''
    ? refuseOption('security-opt', text, 'it has no value')
    : value
}
