/** sysctl names of config.json: their two spellings, their file and the namespace each belongs to. */
import type { NamespaceKind } from '../linux/namespaces.ts'

/** The kernel.* settings that an IPC namespace owns (ipc_namespaces(7)); fs.mqueue.* are the others. */
const IPC_SYSCTLS: ReadonlySet<string> = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
])

/**
 * The components of a name, undefined when it is not one. sysctl(8) accepts `net.ipv4.ip_forward`
 * and `net/ipv4/ip_forward`; whichever separator comes first is the one, and the other is then part
 * of a component (`net/ipv4/conf/eth0.100/forwarding`).
 */
export function sysctlComponents(name: string): readonly string[] | undefined {
  const first = /[./]/.exec(name)?.[0]
  const components =
    first === '/'
      ? name.split('/')
      : name.split('.').map((component) => component.replaceAll('/', '.'))
  // `..` and empty components would leave /proc/sys (CVE-2025-52881 is the class).
  const safe = components.every(
    (part) => part !== '' && part !== '.' && part !== '..' && !part.includes('/'),
  )
  return safe && !name.includes('\0') ? components : undefined
}

/** The file of a setting below /proc/sys, undefined when `name` is not a sysctl name. */
export function sysctlFile(name: string): string | undefined {
  return sysctlComponents(name)?.join('/')
}

/** The namespace that a setting belongs to; undefined when it is the whole host's. */
export function sysctlNamespace(name: string): NamespaceKind | undefined {
  const components = sysctlComponents(name)
  if (components === undefined || components.length < 2) return undefined
  const dotted = components.join('.')
  if (IPC_SYSCTLS.has(dotted) || dotted.startsWith('fs.mqueue.')) return 'ipc'
  if (components[0] === 'net') return 'network'
  if (components[0] === 'user') return 'user'
  return dotted === 'kernel.domainname' || dotted === 'kernel.hostname' ? 'uts' : undefined
}
