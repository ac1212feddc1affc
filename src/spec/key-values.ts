/** Options of the form `key=value`: --annotation and --sysctl. */
import { sysctlFile, sysctlNamespace } from '../oci/sysctl-name.ts'
import { refuseNul, refuseOption } from './invalid-option.ts'

/** `key=value` texts as a record; the last of a key wins. */
export function parseAnnotations(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(texts.map((text) => splitPair('annotation', text)))
}

/** What decides whose a kernel parameter is. */
export interface NamespaceModes {
  readonly network: string
  /** Kind of the --ipc mode. */
  readonly ipc: string
}

/** `file=value` texts as a record: --cgroup-conf. */
export function parseCgroupConf(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(texts.map((text) => splitPair('cgroup-conf', text)))
}

/** `name=value` texts as a record; refuses what would change the host. */
export function parseSysctls(
  texts: readonly string[],
  modes: NamespaceModes,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const [name, value] = splitPair('sysctl', text)
      checkSysctl(name, text, modes)
      return [name, value] as const
    }),
  )
}

function checkSysctl(name: string, text: string, { network, ipc }: NamespaceModes): void {
  if (sysctlFile(name) === undefined) refuseOption('sysctl', text, 'it is not the name of a sysctl')
  const owner = sysctlNamespace(name)
  if (owner === undefined)
    refuseOption('sysctl', text, 'it belongs to the host and to no namespace')
  if (owner === 'user')
    refuseOption('sysctl', text, 'the container has no user namespace of its own')
  if (owner === 'uts') refuseOption('sysctl', text, 'it is set by --hostname')
  if (owner === 'ipc' && !['private', 'shareable', 'none'].includes(ipc))
    refuseOption('sysctl', text, "with this --ipc it would change what is not the container's own")
  if (owner === 'network' && network === 'host') {
    refuseOption('sysctl', text, 'with --network host it would change the host')
  }
}

function splitPair(option: string, text: string): readonly [string, string] {
  const equals = text.indexOf('=')
  if (equals < 1) refuseOption(option, text, 'it must be key=value')
  refuseNul(option, text)
  return [text.slice(0, equals), text.slice(equals + 1)]
}
