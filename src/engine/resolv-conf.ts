/** /etc/resolv.conf of a container, made of the host's as docker makes it. */
import { readTextIfThere } from '../util/if-there.ts'

/** systemd-resolved(8): the servers that its stub asks. */
const UPSTREAM = '/run/systemd/resolve/resolv.conf'
const LOOPBACK = /^\s*nameserver\s+(?:127\.\S*|::1)\s*$/

/** The text for a container; with the host's network the host's own. */
export function hostResolvConf(network: string): string {
  const text = readTextIfThere('/etc/resolv.conf') ?? ''
  return network === 'host' ? text : reachableServers(text, readTextIfThere(UPSTREAM))
}

/** `text` without servers on the loopback interface; when those are all, `upstream` takes its place. */
export function reachableServers(text: string, upstream: string | undefined): string {
  const hasServer = (line: string) => /^\s*nameserver\s/.test(line)
  const kept = text.split('\n').filter((line) => !LOOPBACK.test(line))
  if (kept.some(hasServer) || upstream === undefined) return kept.join('\n')
  return upstream
    .split('\n')
    .filter((line) => !LOOPBACK.test(line))
    .join('\n')
}
