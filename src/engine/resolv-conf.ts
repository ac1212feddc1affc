/** /etc/resolv.conf of a container, made of the host's as docker makes it. */
import { TsrunError } from '../errors.ts'
import { readTextIfThere } from '../util/if-there.ts'

/** systemd-resolved(8): the servers that its stub asks. */
const UPSTREAM = '/run/systemd/resolve/resolv.conf'
const LOOPBACK = /^\s*nameserver\s+(?:127\.\S*|::1)\s*$/

/** The text for a container; with the host's network the host's own. */
export function hostResolvConf(network: string): string {
  const text = readHostFile()
  return network === 'host' ? text : reachableServers(text, readTextIfThere(UPSTREAM))
}

function readHostFile(): string {
  try {
    return readTextIfThere('/etc/resolv.conf') ?? ''
  } catch (cause) {
    throw new TsrunError('failed-precondition', 'cannot read /etc/resolv.conf of the host', {
      cause,
      hint: 'make it a file of text, or remove it',
    })
  }
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
