/** Device descriptions of the Container Device Interface (cncf-tags/container-device-interface SPEC.md), as JSON. */
import { TsrunError } from '../errors.ts'
import { JsonCursor, type Problem } from './json-cursor.ts'
import type { HookKind } from './runtime-config.ts'

/** What a device asks for in config.json. */
export interface CdiEdits {
  readonly env: readonly string[]
  readonly deviceNodes: readonly {
    readonly path: string
    /** Where it is on the host, when not at `path`. */
    readonly hostPath: string
    readonly permissions: string
    readonly uid: number | undefined
    readonly gid: number | undefined
    readonly fileMode: number | undefined
  }[]
  readonly mounts: readonly {
    readonly source: string
    readonly destination: string
    readonly options: readonly string[]
  }[]
  readonly hooks: readonly {
    readonly kind: HookKind
    readonly path: string
    readonly args: readonly string[]
    readonly env: readonly string[]
    readonly timeout: number | undefined
  }[]
  readonly additionalGids: readonly number[]
}

export interface CdiSpec {
  /** `vendor/class`. */
  readonly kind: string
  readonly devices: ReadonlyMap<string, CdiEdits>
  /** For each container that gets one of the devices. */
  readonly common: CdiEdits
}

const HOOKS: readonly HookKind[] = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
]
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]*$/
const KIND = /^[A-Za-z][A-Za-z0-9_.-]*\/[A-Za-z][A-Za-z0-9_-]*$/

/** The parts of `vendor/class=name`; undefined for what is no such name. */
export function parseCdiName(
  text: string,
): { readonly kind: string; readonly name: string } | undefined {
  const [, kind = '', name = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? []
  return KIND.test(kind) && NAME.test(name) ? { kind, name } : undefined
}

/** Throws `invalid-argument` naming the file and each thing in it that is not as it must be. */
export function parseCdiSpec(text: string, path: string): CdiSpec {
  const problems: Problem[] = []
  const root = JsonCursor.root(parseJson(text, path), problems)
  const kind = root.field('kind').required().string() ?? ''
  if (kind !== '' && !KIND.test(kind)) root.field('kind').report('must be vendor/class')
  const devices = new Map<string, CdiEdits>()
  for (const device of root.field('devices').items()) {
    const name = device.field('name').required().string() ?? ''
    if (!NAME.test(name)) device.field('name').report('must be the name of a device')
    devices.set(name, editsOf(device.field('containerEdits')))
  }
  const common = editsOf(root.field('containerEdits'))
  if (problems.length === 0) return { kind, devices, common }
  const details = problems.map(({ pointer, message }) => `${pointer} ${message}`).join(', ')
  throw new TsrunError(
    'invalid-argument',
    `cannot read the device description "${path}": ${details}`,
  )
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new TsrunError('invalid-argument', `cannot read the device description "${path}"`, {
      cause,
    })
  }
}

function editsOf(edits: JsonCursor): CdiEdits {
  const all = (key: string): readonly JsonCursor[] => edits.field(key).items()
  return {
    env: edits.field('env').strings(),
    deviceNodes: all('deviceNodes').map(nodeOf),
    mounts: all('mounts').map((mount) => ({
      source: absolute(mount.field('hostPath')),
      destination: absolute(mount.field('containerPath')),
      options: mount.field('options').strings(),
    })),
    hooks: all('hooks').flatMap(hookOf),
    additionalGids: all('additionalGids').flatMap((gid) => gid.id() ?? []),
  }
}

function nodeOf(node: JsonCursor): CdiEdits['deviceNodes'][number] {
  const path = absolute(node.field('path'))
  const hostPath = node.field('hostPath')
  const permissions = node.field('permissions').string() ?? 'rwm'
  if (!/^[rwm]{1,3}$/.test(permissions))
    node.field('permissions').report('must be some of r, w and m')
  return {
    path,
    hostPath: hostPath.present ? absolute(hostPath) : path,
    permissions,
    uid: node.field('uid').id(),
    gid: node.field('gid').id(),
    fileMode: node.field('fileMode').integer(0, 0o7777),
  }
}

function hookOf(hook: JsonCursor): CdiEdits['hooks'] {
  const name = hook.field('hookName').required().string()
  const kind = HOOKS.find((known) => known === name)
  if (kind === undefined) {
    hook.field('hookName').report(`must be one of ${HOOKS.join(', ')}`)
    return []
  }
  const path = absolute(hook.field('path'))
  const args = hook.field('args').strings()
  const timeout = hook.field('timeout').integer(1, 1_000_000)
  return [{ kind, path, args, env: hook.field('env').strings(), timeout }]
}

function absolute(cursor: JsonCursor): string {
  const path = cursor.required().string() ?? ''
  if (path !== '' && !path.startsWith('/')) cursor.report('must be an absolute path')
  return path
}
