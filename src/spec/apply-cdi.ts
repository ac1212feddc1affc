/** Puts what CDI devices ask for into a config.json. */
import type { CdiEdits } from '../oci/cdi.ts'
import type { Device, Hook, HookKind, RuntimeConfig } from '../oci/runtime-config.ts'
import { refuseOption } from './invalid-option.ts'
import type { DeviceStat } from './spec-input.ts'

/** `config` with the edits, in their order; `stats` are the nodes of the host that they name. */
export function applyCdi(
  config: RuntimeConfig,
  edits: readonly CdiEdits[],
  stats: readonly DeviceStat[],
): RuntimeConfig {
  if (edits.length === 0) return config
  const nodes = edits.flatMap(({ deviceNodes }) => deviceNodes)
  const devices = nodes.map((node) => deviceOf(node, stats))
  const rules = devices.map(({ type, major = 0, minor = 0 }, i) => ({
    ...{ allow: true, type, major, minor },
    access: nodes[i]?.permissions ?? 'rwm',
  }))
  const { process, linux } = config
  const gids = edits.flatMap(({ additionalGids }) => additionalGids)
  return {
    ...config,
    ...(process === undefined
      ? {}
      : {
          process: {
            ...process,
            env: [...(process.env ?? []), ...edits.flatMap(({ env }) => env)],
            user: {
              ...{ uid: 0, gid: 0, ...process.user },
              additionalGids: [...new Set([...(process.user?.additionalGids ?? []), ...gids])],
            },
          },
        }),
    mounts: [...(config.mounts ?? []), ...edits.flatMap(mountsOf)],
    hooks: hooksOf(config, edits),
    linux: {
      ...linux,
      devices: [...(linux?.devices ?? []), ...devices],
      resources: {
        ...linux?.resources,
        devices: [...(linux?.resources?.devices ?? []), ...rules],
      },
    },
  }
}

function deviceOf(node: CdiEdits['deviceNodes'][number], stats: readonly DeviceStat[]): Device {
  const stat = stats.find(({ path }) => path === node.hostPath)
  if (stat === undefined)
    return refuseOption('device', node.path, `the host has no device "${node.hostPath}"`)
  return {
    path: node.path,
    type: stat.type,
    major: stat.major,
    minor: stat.minor,
    fileMode: node.fileMode ?? stat.mode & 0o7777,
    uid: node.uid ?? stat.uid,
    gid: node.gid ?? stat.gid,
  }
}

function mountsOf({ mounts }: CdiEdits) {
  return mounts.map(({ source, destination, options }) => ({
    destination,
    type: 'bind',
    source,
    options: [...new Set(['rbind', 'rprivate', ...options])],
  }))
}

function hooksOf(
  { hooks = {} }: RuntimeConfig,
  edits: readonly CdiEdits[],
): NonNullable<RuntimeConfig['hooks']> {
  const merged = new Map<string, Hook[]>(Object.entries(hooks).map(([kind, of]) => [kind, [...of]]))
  for (const { kind, path, args, env, timeout } of edits.flatMap((edit) => edit.hooks)) {
    const hook: Hook = {
      path,
      ...(args.length === 0 ? {} : { args }),
      ...(env.length === 0 ? {} : { env }),
      ...(timeout === undefined ? {} : { timeout }),
    }
    merged.set(kind, [...(merged.get(kind) ?? []), hook])
  }
  return Object.fromEntries(merged) as Partial<Record<HookKind, readonly Hook[]>>
}
