/** What a caller must look up on the host before buildSpec can run, which does no input or output itself. */
import { limitedDevices } from './block-io.ts'
import { hostDevices } from './cdi-names.ts'
import { parseDevice } from './devices.ts'
import { userMounts } from './mounts.ts'
import { parseSecurityOptions } from './security-options.ts'
import type { SpecHost, SpecOptions } from './spec-input.ts'

export interface Lookups {
  /** Files to read into `SpecHost.seccompProfiles`, by the path as given. */
  readonly seccompProfiles: readonly string[]
  /** Device nodes to give or to limit, or directories of them, to stat into `SpecHost.devices`. */
  readonly devices: readonly string[]
  /** Also every node below /dev (--privileged). */
  readonly allDevices: boolean
  /** Sources of bind mounts, absolute; those with `create` are made as directories when missing. */
  readonly bindSources: readonly { readonly path: string; readonly create: boolean }[]
}

/** Parses the options that name things of the host; throws as buildSpec would. */
export function lookupsOf(options: SpecOptions, workingDirectory: string): Lookups {
  const privileged = options.privileged === true
  const { seccomp } = parseSecurityOptions(options.securityOpt ?? [], privileged)
  const host: Pick<SpecHost, 'workingDirectory'> = { workingDirectory }
  return {
    seccompProfiles: seccomp.kind === 'file' ? [seccomp.path] : [],
    devices: [
      ...hostDevices(options).map((text) => parseDevice(text).source),
      ...limitedDevices(options),
    ],
    allDevices: privileged,
    bindSources: userMounts({ options, host }).flatMap(({ type, source, createSource }) =>
      type === 'bind' && source !== undefined ? [{ path: source, create: createSource }] : [],
    ),
  }
}
