/** Image config and user options to config.json, by docker's merge rules: the table of contents of this folder. */
import { OCI_VERSION } from '../oci/default-config.ts'
import type { Linux, Process, RuntimeConfig, Seccomp } from '../oci/runtime-config.ts'
import { hostDevices } from './cdi-names.ts'
import { containerHostname, mergeArguments, workingDirectory } from './command.ts'
import { capabilitySets, chooseCapabilities } from './default-capabilities.ts'
import { chooseDevices } from './devices.ts'
import { buildEnvironment } from './environment.ts'
import { refuseOption, refuseUnsupported } from './invalid-option.ts'
import { parseAnnotations, parseSysctls } from './key-values.ts'
import { buildMounts, rootPropagation } from './mounts.ts'
import { buildNamespaces, hasOwnUts, namespaceMode } from './namespaces.ts'
import { buildResources } from './resources.ts'
import { parseSeccompProfile } from './seccomp-profile.ts'
import { hiddenPaths, parseSecurityOptions, type SecurityOptions } from './security-options.ts'
import type { SpecInput, SpecOptions } from './spec-input.ts'
import { isForSystemd, SYSTEMD_ENVIRONMENT } from './systemd-container.ts'
import { parseUlimits } from './ulimits.ts'
import { resolveUser } from './user.ts'

/** The config.json of the container that `input` describes; throws a TsrunError naming the wrong option. */
export function buildSpec(input: SpecInput): RuntimeConfig {
  const { options } = input
  const security = parseSecurityOptions(options.securityOpt ?? [], options.privileged === true)
  if (input.host.selinux && security.labels.some((label) => label !== 'disable'))
    refuseUnsupported('security-opt', `label=${security.labels[0]}`, 'SELinux labels')
  const capabilities = chooseCapabilities({
    add: options.capAdd ?? [],
    drop: options.capDrop ?? [],
    privileged: options.privileged === true,
    available: input.host.capabilities,
  })
  const hostname = containerHostname(options, input.containerId, input.host.hostname)
  const mounts = buildMounts(input, security)
  const annotations = parseAnnotations(options.annotations ?? [])
  return {
    ociVersion: OCI_VERSION,
    process: buildProcess(input, security, capabilities, hostname),
    root: { path: input.rootPath, readonly: options.readOnly === true },
    ...(hasOwnUts(options) ? { hostname } : {}),
    ...domainOf(options),
    mounts,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    linux: buildLinux(input, security, capabilities, rootPropagation(mounts)),
  }
}

function buildProcess(
  input: SpecInput,
  security: SecurityOptions,
  capabilities: readonly string[],
  hostname: string,
): Process {
  const { image, options } = input
  const { home, uid, gid, additionalGids } = resolveUser({
    user: options.user ?? image?.User ?? '',
    groups: options.groups ?? [],
    passwd: input.passwd,
    group: input.group,
  })
  const terminal = options.terminal === true
  const args = mergeArguments(image, options)
  const rlimits = parseUlimits(options.ulimits ?? [])
  const apparmor = apparmorProfile(input, security)
  return {
    terminal,
    ...(terminal && options.consoleSize !== undefined ? { consoleSize: options.consoleSize } : {}),
    user: { uid, gid, additionalGids: groupsOf(input, additionalGids), ...umaskOf(options) },
    args,
    env: buildEnvironment({
      host: options.envHost ?? [],
      image: image?.Env ?? [],
      merge: options.envMerge ?? [],
      user: isForSystemd(options, args)
        ? [...SYSTEMD_ENVIRONMENT, ...(options.env ?? [])]
        : (options.env ?? []),
      unset: options.unsetEnvAll === true ? 'all' : (options.unsetEnv ?? []),
      hostname,
      home,
      terminal,
    }),
    cwd: workingDirectory(image, options),
    capabilities: capabilitySets(capabilities, uid),
    ...(rlimits.length === 0 ? {} : { rlimits }),
    noNewPrivileges: security.noNewPrivileges,
    ...(apparmor === undefined ? {} : { apparmorProfile: apparmor }),
    ...(options.oomScoreAdj === undefined
      ? {}
      : { oomScoreAdj: checkOomScore(options.oomScoreAdj) }),
  }
}

// What the image's /etc/group says is a wish; what the user says is refused.
function groupsOf({ host, options }: SpecInput, groups: readonly number[]): readonly number[] {
  if (host.ownNamespace?.deniesGroups !== true) return groups
  const [first] = options.groups ?? []
  if (first === undefined) return []
  return refuseOption(
    'group-add',
    first,
    'without ids of /etc/subgid the kernel allows no groups: as root, usermod --add-subgids gives this user some',
  )
}

function buildLinux(
  input: SpecInput,
  security: SecurityOptions,
  capabilities: readonly string[],
  propagation: string | undefined,
): Linux {
  const { options, host, userNamespace } = input
  const { devices, rules } = chooseDevices(
    hostDevices(options),
    host.devices,
    options.privileged === true,
  )
  const sysctl = parseSysctls(options.sysctls ?? [], {
    network: options.network ?? 'none',
    ipc: namespaceMode(options, 'ipc').kind,
  })
  const seccomp = chooseSeccomp(input, security, capabilities)
  return {
    ...(input.joined?.user === undefined ? (userNamespace ?? {}) : {}),
    ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
    resources: buildResources(options, rules, host.devices),
    ...cgroupOf(input),
    namespaces: buildNamespaces(input),
    ...(devices.length === 0 ? {} : { devices }),
    ...(seccomp === undefined ? {} : { seccomp }),
    ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
    ...hiddenPaths(security),
  }
}

function chooseSeccomp(
  { host, defaultSeccompProfile }: SpecInput,
  { seccomp }: SecurityOptions,
  capabilities: readonly string[],
): Seccomp | undefined {
  const { architecture, kernelRelease } = host
  if (seccomp.kind === 'unconfined') return undefined
  if (seccomp.kind === 'default') return defaultSeccompProfile({ capabilities, architecture })
  const text = host.seccompProfiles.get(seccomp.path)
  if (text === undefined)
    refuseOption('security-opt', `seccomp=${seccomp.path}`, 'the file was not read')
  return parseSeccompProfile(text, seccomp.path, { architecture, capabilities, kernelRelease })
}

/** `unconfined` is what a process is where AppArmor is off; a profile's name there is refused, not ignored. */
function apparmorProfile({ host }: SpecInput, { apparmor }: SecurityOptions): string | undefined {
  if (host.apparmor || apparmor === undefined || apparmor === 'unconfined') {
    return host.apparmor ? apparmor : undefined
  }
  return refuseOption(
    'security-opt',
    `apparmor=${apparmor}`,
    'AppArmor is not enabled on this host',
  )
}

function domainOf(options: SpecOptions): { readonly domainname?: string } {
  const { domainname } = options
  if (domainname === undefined || domainname === '') return {}
  if (!hasOwnUts(options)) refuseOption('domainname', domainname, 'the names are those of --uts')
  // setdomainname(2).
  if (domainname.length <= 64 && /^[A-Za-z0-9_.-]+$/.test(domainname)) return { domainname }
  return refuseOption('domainname', domainname, 'it must be at most 64 letters, digits, . _ and -')
}

function umaskOf({ umask }: SpecOptions): { readonly umask?: number } {
  if (umask === undefined) return {}
  if (/^[0-7]{1,4}$/.test(umask)) return { umask: Number.parseInt(umask, 8) & 0o777 }
  return refuseOption('umask', umask, 'it must be octal digits such as 0022')
}

function cgroupOf({ options, cgroupsPath, containerId }: SpecInput): {
  readonly cgroupsPath?: string
} {
  const parent = options.cgroupParent ?? ''
  if (parent === '') return cgroupsPath === undefined ? {} : { cgroupsPath }
  if (parent.endsWith('.slice')) {
    refuseOption(
      'cgroup-parent',
      parent,
      'slices are for the systemd driver; give the path of a cgroup',
    )
  }
  if (parent.split('/').includes('..') || parent.includes('\0'))
    refuseOption('cgroup-parent', parent, 'it must be the path of a cgroup')
  return { cgroupsPath: `/${parent.replace(/^\/+|\/+$/g, '')}/${containerId}` }
}

function checkOomScore(score: number): number {
  if (Number.isInteger(score) && score >= -1000 && score <= 1000) return score
  return refuseOption('oom-score-adj', String(score), 'it must be from -1000 to 1000')
}
