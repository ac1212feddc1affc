/** What networks of containers stand on. */
import type { HostReader } from './host-reader.ts'
import { ok, type Verdict, warn } from './verdict.ts'

export function examineNftables(host: HostReader): Verdict {
  const modules = `/lib/modules/${host.kernelRelease}`
  const isThere =
    host.exists('/sys/module/nf_tables') ||
    ['modules.dep', 'modules.builtin'].some((list) =>
      host.read(`${modules}/${list}`)?.includes('/nf_tables.ko'),
    ) ||
    // Built in, it shows nowhere else.
    host.read('/proc/kallsyms')?.includes(' nf_tables_newtable') === true
  if (isThere) return ok('nftables', 'there')
  return warn(
    'nftables',
    'no nf_tables is loaded, built in or to be found among the modules of this kernel',
    'modprobe nf_tables: networks with ports and NAT need it; --network none and host do not',
  )
}

export function examineForwarding(host: HostReader): readonly Verdict[] {
  if (!host.isRoot) return []
  if (host.read('/proc/sys/net/ipv4/ip_forward')?.trim() === '1') return [ok('ip forwarding', 'on')]
  return [
    warn(
      'ip forwarding',
      'off: containers on a bridge reach nothing outside the host',
      'sysctl net.ipv4.ip_forward=1',
    ),
  ]
}

/** With it packets between containers of one bridge go through the firewall's rules for forwarding. */
export function examineBridge(host: HostReader): readonly Verdict[] {
  const value = host.read('/proc/sys/net/bridge/bridge-nf-call-iptables')?.trim()
  if (value !== '1') return [ok('br_netfilter', value === undefined ? 'not loaded' : 'off')]
  return [
    warn(
      'br_netfilter',
      'packets between containers of one bridge pass the rules of iptables, and may be dropped there',
      'sysctl net.bridge.bridge-nf-call-iptables=0, unless Kubernetes runs here',
    ),
  ]
}

/** The user-mode network of containers without root. */
export function examinePasta(host: HostReader): readonly Verdict[] {
  if (host.isRoot) return []
  const path = host.find('pasta')
  if (path === undefined)
    return [
      warn('pasta', 'it is not installed: containers have no network', 'install the package passt'),
    ]
  if (host.exists('/dev/net/tun')) return [ok('pasta', path)]
  return [warn('pasta', `${path}, but there is no /dev/net/tun`, 'modprobe tun')]
}
