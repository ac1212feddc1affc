/** The features document (runtime-spec features.md, features-linux.md), built from what this build and host can do. */
import { CAPABILITY_NAMES } from '../linux/capabilities.ts'
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from '../linux/memory-policies.ts'
import { NAMESPACES, type NamespaceKind } from '../linux/namespaces.ts'
import { OCI_VERSION } from './default-config.ts'
import type { HookKind } from './runtime-config.ts'

/** Callers read this from stdout: field names and shapes are the spec's. */
export interface Features {
  readonly ociVersionMin: string
  readonly ociVersionMax: string
  readonly hooks: readonly HookKind[]
  readonly mountOptions: readonly string[]
  readonly linux: LinuxFeatures
  readonly annotations: Readonly<Record<string, string>>
  readonly potentiallyUnsafeConfigAnnotations: readonly string[]
}

export interface LinuxFeatures {
  readonly namespaces: readonly NamespaceKind[]
  readonly capabilities: readonly string[]
  readonly cgroup: {
    readonly v1: boolean
    readonly v2: boolean
    readonly systemd: boolean
    readonly systemdUser: boolean
    readonly rdma: boolean
  }
  readonly seccomp: {
    readonly enabled: boolean
    readonly actions?: readonly string[]
    readonly operators?: readonly string[]
    readonly archs?: readonly string[]
    readonly knownFlags?: readonly string[]
    readonly supportedFlags?: readonly string[]
  }
  readonly apparmor: { readonly enabled: boolean }
  readonly selinux: { readonly enabled: boolean }
  readonly intelRdt: {
    readonly enabled: boolean
    readonly schemata: boolean
    readonly monitoring: boolean
  }
  readonly memoryPolicy: { readonly modes: readonly string[]; readonly flags: readonly string[] }
  readonly mountExtensions: { readonly idmap: { readonly enabled: boolean } }
  readonly netDevices: { readonly enabled: boolean }
}

/** What only the caller knows: the other folders' tables and the host's probes. */
export interface FeatureFacts {
  readonly version: string
  readonly mountOptions: readonly string[]
  readonly namespaces?: readonly NamespaceKind[]
  /** The host's highest capability (/proc/sys/kernel/cap_last_cap). */
  readonly lastCapability: number
  readonly seccomp: LinuxFeatures['seccomp']
  readonly apparmor: boolean
  readonly selinux: boolean
  readonly idmapMounts: boolean
  readonly systemdCgroup: boolean
}

const HOOKS: readonly HookKind[] = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
]

/** The document of `tsrun features`. */
export function runtimeFeatures(facts: FeatureFacts): Features {
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: OCI_VERSION,
    hooks: HOOKS,
    mountOptions: [...new Set(facts.mountOptions)].sort(),
    linux: {
      namespaces: facts.namespaces ?? [...kinds()].sort(),
      capabilities: CAPABILITY_NAMES.slice(0, facts.lastCapability + 1),
      cgroup: {
        v1: false,
        v2: true,
        systemd: facts.systemdCgroup,
        systemdUser: facts.systemdCgroup,
        rdma: true,
      },
      seccomp: facts.seccomp,
      apparmor: { enabled: facts.apparmor },
      selinux: { enabled: facts.selinux },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: {
        modes: Object.keys(MEMORY_POLICY_MODES),
        flags: Object.keys(MEMORY_POLICY_FLAGS),
      },
      mountExtensions: { idmap: { enabled: facts.idmapMounts } },
      netDevices: { enabled: true },
    },
    annotations: {
      'org.tsrun.version': facts.version,
      // runc's name, which crun has too: what callers look for.
      'org.opencontainers.runc.checkpoint.enabled': 'true',
    },
    // It names a file of the host.
    potentiallyUnsafeConfigAnnotations: ['org.criu.config'],
  }
}

function kinds(): readonly NamespaceKind[] {
  return Object.keys(NAMESPACES) as NamespaceKind[]
}
