/** --pid, --ipc, --uts and --cgroupns: whose namespaces a container has. */
import type { Namespace, NamespaceType } from '../oci/runtime-config.ts'
import { refuseNul, refuseOption } from './invalid-option.ts'
import type { SpecInput, SpecOptions } from './spec-input.ts'

export type NamespaceMode =
  | { readonly kind: 'private' }
  | { readonly kind: 'host' }
  /** A new one whose /dev/shm others may have too (--ipc). */
  | { readonly kind: 'shareable' }
  /** A new one without /dev/shm (--ipc). */
  | { readonly kind: 'none' }
  | { readonly kind: 'container'; readonly container: string }
  | { readonly kind: 'path'; readonly path: string }

/** The options that name a namespace, with what each is in config.json and the modes that it has beside the usual. */
export const NAMESPACE_OPTIONS = {
  pid: { type: 'pid', further: [] },
  ipc: { type: 'ipc', further: ['shareable', 'none'] },
  uts: { type: 'uts', further: [] },
  cgroupns: { type: 'cgroup', further: [] },
} as const satisfies Readonly<
  Record<string, { readonly type: NamespaceType; readonly further: readonly string[] }>
>

export type NamespaceOption = keyof typeof NAMESPACE_OPTIONS

/** The mode that `option` asks for; a namespace of its own when it is not given. */
export function namespaceMode(options: SpecOptions, option: NamespaceOption): NamespaceMode {
  const text = options[option] ?? ''
  refuseNul(option, text)
  if (text === '' || text === 'private') return { kind: 'private' }
  if (text === 'host') return { kind: 'host' }
  const further: readonly string[] = NAMESPACE_OPTIONS[option].further
  if (further.includes(text) && (text === 'shareable' || text === 'none')) return { kind: text }
  const [kind, value = ''] = text.split(/:(.*)/s)
  if (kind === 'container' && value !== '') return { kind: 'container', container: value }
  if (kind === 'ns' && value.startsWith('/')) return { kind: 'path', path: value }
  const modes = ['private', 'host', ...further, 'container:NAME', 'ns:/path']
  return refuseOption(option, text, `it is one of ${modes.join(', ')}`)
}

/** `linux.namespaces`: new ones, those of other containers by path, and none where the host's is kept. */
export function buildNamespaces(input: SpecInput): readonly Namespace[] {
  const { options, userNamespace } = input
  const namespaces: Namespace[] = [{ type: 'mount' }]
  for (const option of ['uts', 'pid', 'ipc', 'cgroupns'] as const) {
    const { type } = NAMESPACE_OPTIONS[option]
    const namespace = namespaceOf(input, type, namespaceMode(options, option))
    if (namespace !== undefined) namespaces.push(namespace)
  }
  if (options.network !== 'host') namespaces.push({ type: 'network' })
  const user = input.joined?.user
  if (userNamespace !== undefined)
    namespaces.push({ type: 'user', ...(user === undefined ? {} : { path: user }) })
  return namespaces
}

function namespaceOf(
  { joined }: SpecInput,
  type: NamespaceType,
  mode: NamespaceMode,
): Namespace | undefined {
  if (mode.kind === 'host') return undefined
  if (mode.kind === 'path') return { type, path: mode.path }
  if (mode.kind !== 'container') return { type }
  const path = joined?.[type]
  if (path === undefined) throw new RangeError(`the ${type} namespace was not looked up`)
  return { type, path }
}

/** Whether the container has a host name of its own to set: not in a UTS namespace of somebody else. */
export function hasOwnUts(options: SpecOptions): boolean {
  return namespaceMode(options, 'uts').kind === 'private'
}
